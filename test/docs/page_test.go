package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the module's folder.
const root = "../.."

// page is a document.
type page struct {
	path   string // from root
	text   string
	blocks []block
}

// block is a fenced block of a page.
type block struct {
	page   string
	line   int    // of its first line, from 1
	lang   string // the word behind the fence
	before string // the last line of prose above it
	text   string
}

// pages are all documents for users and for those who change the code.
func pages(t *testing.T) []page {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 8 {
		t.Fatalf("only %d documents are there: %v", len(found), found)
	}
	var all []page
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page{rel, string(text), cut(t, rel, string(text))})
	}
	return all
}

// cut finds the fenced blocks of a page.
func cut(t *testing.T, path, text string) (blocks []block) {
	t.Helper()
	var open *block
	prose := ""
	for i, line := range strings.Split(text, "\n") {
		fence, lang, fenced := strings.Cut(line, "```")
		switch {
		case fenced && fence != "":
			t.Errorf("%s:%d: a fence that does not begin its line is not found by these tests", path, i+1)
		case fenced && open == nil:
			open = &block{page: path, line: i + 2, lang: lang, before: prose}
		case fenced:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case line != "":
			prose = line
		}
	}
	if open != nil {
		t.Errorf("%s:%d: a block is not closed", path, open.line)
	}
	return blocks
}

// blocksOf are the blocks of all pages in one of some languages.
func blocksOf(t *testing.T, langs ...string) (found []block) {
	t.Helper()
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			for _, lang := range langs {
				if b.lang == lang {
					found = append(found, b)
				}
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no page has a block of %v", langs)
	}
	return found
}
