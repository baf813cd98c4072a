package delimited

import (
	"io/fs"
	"os"
)

const openFlags = os.O_RDONLY

// keep gives a new file the mode of an old one. Windows takes the owner and the list of access control from the folder.
func keep(_ *os.File, info fs.FileInfo, file *os.File) error { return file.Chmod(info.Mode().Perm()) }
