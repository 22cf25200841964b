package poller_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/deltahook/deltahook/poller"
)

// FuzzWatchFile: any file is read or refused, and what is read can be watched.
func FuzzWatchFile(f *testing.F) {
	for _, text := range []string{"", "a\nb", "# only\r\n", "\ufeffa", " a \n\n", "a\x00", "\xff\n", "a\ra"} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "keys")
	c := poller.NewClientOver(newCrowd(), poller.ClientOptions{})
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		read := poller.Settings{
			Schedule: "@hourly", Watch: poller.WatchSettings{File: path, API: true},
			Request: poller.RequestSettings{URL: "http://x.example/{{ key }}"},
		}
		s, err := poller.NewSource("s", read, poller.ResponseSettings{}, c)
		if err != nil {
			return
		}
		keys, err := poller.New([]*poller.Source{s}, nil, &sink{}, poller.Options{}).Watched("s")
		if err != nil {
			t.Fatal(err)
		}
		again := read
		again.Watch = poller.WatchSettings{API: true}
		for _, key := range keys {
			again.Watch.Keys = append(again.Watch.Keys, key.Key)
		}
		if _, err := poller.NewSource("s", again, poller.ResponseSettings{}, c); err != nil {
			t.Errorf("%q gives keys that cannot be watched: %v", text, err)
		}
	})
}
