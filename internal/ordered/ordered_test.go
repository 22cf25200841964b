package ordered_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/deltahook/deltahook/internal/ordered"
)

func TestMapKeepsTheOrder(t *testing.T) {
	var v struct {
		M ordered.Map[struct{ N int }] `yaml:"m"`
	}
	if err := yaml.Unmarshal([]byte("m: {z: {n: 1}, a: {n: 2}, m.n: {n: 3}}"), &v); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"z", "a", "m.n"}, v.M.Keys()); diff != "" {
		t.Error(diff)
	}
	if got, ok := v.M.Get("a"); !ok || got.N != 2 {
		t.Errorf("a is %v, %v", got, ok)
	}
	if got, ok := v.M.Get("b"); ok || got.N != 0 {
		t.Errorf("b is %v, %v", got, ok)
	}
}

func TestMapRefusesOtherShapes(t *testing.T) {
	for _, text := range []string{"[a]", "text", "5"} {
		var m ordered.Map[string]
		if err := yaml.Unmarshal([]byte(text), &m); err == nil {
			t.Errorf("%s was read as a mapping: %v", text, m)
		}
	}
	var m ordered.Map[int]
	if err := yaml.Unmarshal([]byte("{a: 1, b: x}"), &m); err == nil || m != nil {
		t.Errorf("a bad value: %v, %v", m, err)
	}
}

func TestZeroMap(t *testing.T) {
	var m ordered.Map[int]
	if _, ok := m.Get("a"); ok || len(m.Keys()) != 0 {
		t.Error("the zero map is not empty")
	}
}
