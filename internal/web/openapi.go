package web

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"sync"

	"go.yaml.in/yaml/v4"
)

//go:embed openapi.yaml
var openAPI []byte

// document is the OpenAPI 3.1 document of the API, as JSON. A test holds it to
// the routes and to what they answer.
var document = sync.OnceValue(func() []byte {
	var doc any
	if err := yaml.Unmarshal(openAPI, &doc); err != nil {
		panic("openapi.yaml is not YAML: " + err.Error()) // a test reads it
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic("openapi.yaml is not JSON: " + err.Error())
	}
	return text
})

// describing is the description of the API.
func (s *Server) describing() []route {
	return []route{{"GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document()) // the client may be gone
	}, nil}}
}
