package energy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// This file owns reading the small files of sysfs.

// mostText bounds what is read of a file that has a name or a number.
const mostText = 64

// text is a file's, without the end of its line. The error names the file and tells what lacks.
func text(files fs.FS, name string) (string, error) {
	f, err := files.Open(name)
	if err != nil {
		return "", why(name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostText+1))
	if err != nil {
		return "", why(name, err)
	}
	if len(b) > mostText {
		return "", fmt.Errorf("/%s: it has more than %d bytes", name, mostText)
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

// number is a file's.
func number(files fs.FS, name string) (uint64, error) {
	line, err := text(files, name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(line, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/%s: %q is no number of µJ", name, line)
	}
	return n, nil
}

// why words an error of a file.
func why(name string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("/%s: Linux lets root alone read it since 5.10: give the daemon's group the right to (docs/HISTORY.md): %w", name, fs.ErrPermission)
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("/%s: %w", name, err)
}
