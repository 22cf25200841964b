package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of what is read.
const (
	maxFile  = 4 << 20 // bytes of one configuration file
	maxFiles = 1_000   // files in a folder
)

// endings of the files that a folder is searched for.
var endings = []string{".yaml", ".yml", ".toml"}

// reporter takes a fault at a place in a file; no path: the file's syntax.
type reporter func(at position, path []string, what string)

// filesAt are the files of a configuration: path itself, or what a folder
// holds, by name. Folders in it and names that start with a dot are left out.
func filesAt(path string) (files []string, dir string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if !info.IsDir() {
		return []string{path}, filepath.Dir(path), nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, "", err
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || !slices.Contains(endings, filepath.Ext(name)) {
			continue
		}
		full := filepath.Join(path, name)
		if info, err := os.Stat(full); err == nil && info.IsDir() {
			continue
		}
		files = append(files, full)
	}
	switch {
	case len(files) == 0:
		return nil, "", errors.New("no *.yaml, *.yml or *.toml file is in this folder")
	case len(files) > maxFiles:
		return nil, "", fmt.Errorf("%d files are in this folder; at most %d are read", len(files), maxFiles)
	}
	return files, path, nil
}

// readFile is the content of a regular file of up to limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("larger than %d bytes", limit)
	}
	return data, err
}

// reason is err without the operation and the path, which are told anyway.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return err.Error()
}

// parse reads one file's bytes into a tree; nil: its syntax is at fault.
func parse(file string, data []byte, report reporter) *node {
	whole := position{file: file}
	if len(data) > maxFile {
		report(whole, nil, fmt.Sprintf("larger than %d bytes", maxFile))
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if at := invalid(data); at >= 0 {
		t := tomlReader{file: file, data: data, lines: lineStarts(data)}
		report(t.at(at), nil, "not UTF-8")
		return nil
	}
	switch filepath.Ext(file) {
	case ".yaml", ".yml":
		return yamlTree(file, data, report)
	case ".toml":
		return tomlTree(file, data, report)
	}
	report(whole, nil, "the name of a configuration file ends in .yaml, .yml or .toml")
	return nil
}

// invalid is the offset of the first byte that is not UTF-8; -1: there is none.
func invalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
