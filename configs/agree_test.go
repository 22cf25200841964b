package configs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// textKeys is v with keys that YAML reads as numbers, such as 404, as the text
// that editors take them for.
func textKeys(v any) any {
	switch v := v.(type) {
	case map[any]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[fmt.Sprint(key)] = textKeys(value)
		}
		return out
	case map[string]any:
		for key, value := range v {
			v[key] = textKeys(value)
		}
	case []any:
		for i, e := range v {
			v[i] = textKeys(e)
		}
	}
	return v
}

// asJSON is v as a JSON decoder would have it; nil where it can't be.
func asJSON(v any) any {
	b, err := json.Marshal(textKeys(v))
	if err != nil {
		return nil
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	return out
}
