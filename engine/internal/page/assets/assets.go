// Package assets has the style, the script and the icon of the console, as people wrote them: nothing is built.
//
//	content, kind, found := assets.Read("console.css")
package assets

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"path"
	"sync"
)

// SizeMax is the most bytes of all assets together.
const SizeMax = 120 << 10

//go:embed console.css console.js icon.svg
var files embed.FS

// names are the assets, with their content types.
var names = map[string]string{
	"console.css": "text/css; charset=utf-8",
	"console.js":  "text/javascript; charset=utf-8",
	"icon.svg":    "image/svg+xml",
}

// Read returns an asset and its content type.
func Read(name string) (content []byte, kind string, found bool) {
	kind, found = names[path.Clean(name)]
	if !found || path.Clean(name) != name {
		return nil, "", false
	}
	content, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return content, kind, true
}

// Names returns the names of all assets.
func Names() []string { return []string{"console.css", "console.js", "icon.svg"} }

// Hash returns a hash of all assets, for their addresses.
func Hash() string { return hash() }

var hash = sync.OnceValue(func() string {
	sum := sha256.New()
	for _, name := range Names() {
		content, _, _ := Read(name)
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
})
