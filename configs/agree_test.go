package configs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/deltahook/deltahook/configs"
)

// theSchema is the schema as an editor has it: compiled from what the command
// prints, apart from the loader.
var theSchema = sync.OnceValue(func() *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(configs.Schema()))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("x.json", doc); err != nil {
		panic(err)
	}
	return c.MustCompile("x.json")
})

// schemaRefuses reports whether the schema refuses a file, or any file of a
// folder, read by plain decoders as an editor reads it. A file that they
// can't read is refused.
func schemaRefuses(t *testing.T, path string) bool {
	t.Helper()
	files := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.*ml")); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if strings.HasSuffix(file, ".toml") {
			err = toml.Unmarshal(data, &v)
		} else {
			err = yaml.Unmarshal(data, &v)
		}
		if err != nil || theSchema().Validate(asJSON(v)) != nil {
			return true
		}
	}
	return false
}

// asJSON is v as a JSON decoder would have it; nil where it can't be.
func asJSON(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	return out
}
