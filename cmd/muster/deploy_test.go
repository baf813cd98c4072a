package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const deployFolder = "../../docs/deploy"

// deployed is what the files in docs/deploy run: a command line, and the variables that it has.
type deployed struct {
	args      []string
	variables []string
}

func readDeploy(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deployFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// texts returns the texts of a list, or those of a text's words.
func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		var list []string
		for _, element := range v {
			list = append(list, element.(string))
		}
		return list
	}
	return nil
}

func keysOf(value any) []string {
	var keys []string
	if members, ok := value.(map[string]any); ok {
		for key := range members {
			keys = append(keys, key)
		}
	}
	return keys
}

// kubernetesObjects returns the objects of the manifests.
func kubernetesObjects(t *testing.T) []map[string]any {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(readDeploy(t, "kubernetes/muster.yaml")))
	var objects []map[string]any
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
}

// containersOf returns the containers anywhere in a value.
func containersOf(value any) []map[string]any {
	var found []map[string]any
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			if list, ok := member.([]any); ok && key == "containers" {
				for _, container := range list {
					found = append(found, container.(map[string]any))
				}
			}
			found = append(found, containersOf(member)...)
		}
	case []any:
		for _, element := range v {
			found = append(found, containersOf(element)...)
		}
	}
	return found
}

var (
	execStart   = regexp.MustCompile(`(?m)^ExecStart=/usr/bin/muster (.*)$`)
	environment = regexp.MustCompile(`(?m)^(?:Environment=|ENV )([A-Z_]+)=`)
	listOfWords = regexp.MustCompile(`(?m)CMD (\[.*\])$`)
)

// everythingDeployed returns what all files run, by the file.
func everythingDeployed(t *testing.T) map[string]deployed {
	t.Helper()
	all := map[string]deployed{}
	for _, unit := range []string{"muster-serve", "muster-worker", "muster-purge"} {
		text := readDeploy(t, "systemd/"+unit+".service")
		found := deployed{args: strings.Fields(execStart.FindStringSubmatch(text)[1])}
		for _, match := range environment.FindAllStringSubmatch(text, -1) {
			found.variables = append(found.variables, match[1])
		}
		all[unit] = found
	}
	container := readDeploy(t, "Containerfile")
	for i, match := range listOfWords.FindAllStringSubmatch(container, -1) {
		var args []string
		if err := yaml.Unmarshal([]byte(match[1]), &args); err != nil {
			t.Fatal(err)
		}
		if args[0] == "/usr/bin/muster" { // that of the health check
			args = args[1:]
		}
		all["Containerfile"+string(rune('0'+i))] = deployed{args: args,
			variables: []string{environment.FindStringSubmatch(container)[1]}}
	}
	var compose struct {
		Services map[string]struct {
			Image       string
			Command     any
			Environment any
		}
	}
	if err := yaml.Unmarshal([]byte(readDeploy(t, "compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	for name, service := range compose.Services {
		if strings.HasPrefix(service.Image, "muster:") {
			all["compose "+name] = deployed{texts(service.Command), keysOf(service.Environment)}
		}
	}
	for _, object := range kubernetesObjects(t) {
		for _, container := range containersOf(object) {
			found := deployed{args: texts(container["args"])}
			variables, _ := container["env"].([]any)
			for _, variable := range variables {
				found.variables = append(found.variables, variable.(map[string]any)["name"].(string))
			}
			all["kubernetes "+container["name"].(string)] = found
		}
	}
	return all
}

// The commands, flags and variables that the files in docs/deploy name exist.
func TestDeployedCommands(t *testing.T) {
	t.Parallel()
	all := everythingDeployed(t)
	if len(all) < 12 {
		t.Errorf("%d command lines are found, want those of systemd, container, compose and Kubernetes", len(all))
	}
	root := newApp(os.Getenv, nil, nil, nil).rootCommand()
	known := []string{configVariable, "PGPASSFILE", "PGPASSWORD"}
	for _, flag := range flagsBelow(root) {
		known = append(known, variableOf(flag))
	}
	for place, d := range all {
		cmd, rest, err := newApp(os.Getenv, nil, nil, nil).rootCommand().Find(d.args)
		if err != nil || !cmd.HasParent() {
			t.Errorf("%s: there is no command %q: %v", place, d.args, err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: %v", place, err)
		}
		if left := cmd.Flags().Args(); len(left) > 0 {
			t.Errorf("%s: %q has no place in the command line of %s", place, left, cmd.CommandPath())
		}
		for _, variable := range d.variables {
			if !slices.Contains(known, variable) {
				t.Errorf("%s: no flag has the variable %s", place, variable)
			}
		}
	}
}

// The configuration files in docs/deploy are read without a fault, and their values fit.
func TestDeployedConfiguration(t *testing.T) {
	t.Parallel()
	files := map[string]string{"muster.yaml": readDeploy(t, "muster.yaml")}
	for _, object := range kubernetesObjects(t) {
		if object["kind"] == "ConfigMap" {
			files["kubernetes"] = object["data"].(map[string]any)["muster.yaml"].(string)
		}
	}
	if len(files) != 2 {
		t.Fatalf("got %d configuration files, want 2", len(files))
	}
	for place, text := range files {
		file := filepath.Join(t.TempDir(), "muster.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"serve", "worker"} {
			a, cmd, err := settled(t, command, map[string]string{configVariable: file})
			if err != nil {
				t.Errorf("%s: %s: %v", place, command, err)
				continue
			}
			if _, err := a.engineConfig(); err != nil || cmd.Flag("log-json").Value.String() != "true" {
				t.Errorf("%s: %s: %v, logs as JSON: %s", place, command, err, cmd.Flag("log-json").Value)
			}
		}
	}
}

// Nothing runs as root, with rights, or on a file system that it can write to.
func TestDeployedWithoutRights(t *testing.T) {
	t.Parallel()
	for _, object := range kubernetesObjects(t) {
		for _, container := range containersOf(object) {
			var got bytes.Buffer
			if err := yaml.NewEncoder(&got).Encode(container["securityContext"]); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"allowPrivilegeEscalation: false", "readOnlyRootFilesystem: true",
				"runAsNonRoot: true", "drop:\n        - ALL"} {
				if !strings.Contains(got.String(), want) {
					t.Errorf("%v of the %v: %s is missing in\n%s", container["name"], object["kind"], want, got.String())
				}
			}
		}
	}
	demand(t, readDeploy(t, "Containerfile"), "\nUSER 65532:65532\n", "\nHEALTHCHECK ", "\nFROM scratch\n")
	for _, unit := range []string{"muster-serve", "muster-worker", "muster-purge"} {
		demand(t, readDeploy(t, "systemd/"+unit+".service"), "User=muster\n", "NoNewPrivileges=yes", "ProtectSystem=strict")
	}
}
