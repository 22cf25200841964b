package main

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func plain(n int64) string { return strconv.FormatInt(n, 10) }

func TestProgressOnATerminalIsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, 61, "backup", size)
		p.at(1, 100) // too soon to be told
		for _, done := range []int64{25 << 20, 50 << 20, 100 << 20} {
			time.Sleep(time.Second)
			p.at(done, 100<<20)
			p.at(done, 100<<20) // once is enough
		}
		p.end()
		p.end()
		want := []string{
			"",
			"backup [=====               ] 25%, 25.0 MiB of 100.0 MiB, 3…",
			"backup [==========          ] 50%, 50.0 MiB of 100.0 MiB, 2…",
			"backup [====================] 100%, 100.0 MiB of 100.0 MiB",
			"",
		}
		if diff := cmp.Diff(want, strings.Split(out.String(), "\r\x1b[K")); diff != "" {
			t.Error(diff)
		}
		if strings.Contains(out.String(), "\n") {
			t.Error("it leaves a line behind")
		}
	})
}

func TestProgressElsewhereIsASeldomPlainLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, 0, "replay", plain)
		for done := range int64(200) {
			p.at(done, 200)
			time.Sleep(100 * time.Millisecond)
		}
		p.at(200, 0)
		p.end()
		want := "replay: 50%, 100 of 200, 10s left\nreplay: 200\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestProgressOfWhatEndsSoonSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		for _, width := range []int{0, 80} {
			p := newProgress(&out, width, "compact", plain)
			p.at(1, 2)
			p.end()
		}
		if out.Len() > 0 {
			t.Errorf("it says %q", out.String())
		}
	})
}
