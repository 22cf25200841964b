package recipes_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/configs/recipes"
)

// play is how a recipe is played.
type play struct {
	env     []string // with API for the simulator's URL
	tokens  func(http.ResponseWriter, *http.Request) bool
	further func(*http.Request) bool
	refuse  func(*http.Request) string
	steps   []step
}

// step is one answer, and the webhooks that follow from it, in any order.
type step struct {
	answer func(*testing.T) http.HandlerFunc
	told   []string
}

// TestRecipes plays every recipe; one that has no play is a failure.
func TestRecipes(t *testing.T) {
	t.Parallel()
	for _, r := range recipes.All() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			p, ok := plays[r.Name]
			if !ok {
				t.Fatal("nothing plays this recipe")
			}
			var answers []http.HandlerFunc
			for _, s := range p.steps {
				answers = append(answers, s.answer(t)) // skips before anything is started
			}
			a := newAPI(t, p)
			hook, got := newReceiver(t)
			env := []string{"WEBHOOK_URL=" + hook, "WEBHOOK_SECRET=" + whsec}
			for _, v := range p.env {
				env = append(env, strings.ReplaceAll(v, "API", a.URL))
			}
			daemon(t, r.Name, env)
			for i, s := range p.steps {
				a.play(t, answers[i])
				a.settled(t)
				compare(t, i, s.told, got)
			}
		})
	}
	for name := range plays {
		if !slices.ContainsFunc(recipes.All(), func(r recipes.Recipe) bool { return r.Name == name }) {
			t.Errorf("there is no recipe %s", name)
		}
	}
}

// compare takes as many webhooks as are expected, and looks whether more are
// there.
func compare(t *testing.T, step int, want []string, got <-chan string) {
	t.Helper()
	var told []string
	for range want {
		select {
		case line := <-got:
			told = append(told, line)
		case <-time.After(patience):
			t.Fatalf("step %d: only %q were told, want %q", step, told, want)
		}
	}
	select {
	case line := <-got:
		told = append(told, line)
	case <-time.After(100 * time.Millisecond): // what is told was committed before; it is only sent
	}
	slices.Sort(told)
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), told); diff != "" {
		t.Fatalf("step %d: told (-want +got):\n%s", step, diff)
	}
}

// TestSummaries wants the first line of each recipe to say what it tells, and
// a page about it.
func TestSummaries(t *testing.T) {
	t.Parallel()
	for _, r := range recipes.All() {
		if r.Summary == "" || strings.HasSuffix(r.Summary, ".") || len(r.Summary) > 100 {
			t.Errorf("%s: summary %q", r.Name, r.Summary)
		}
		page, err := os.ReadFile(filepath.Join("..", "..", "docs", "recipes", r.Name+".md"))
		if err != nil || !strings.HasPrefix(string(page), "# "+r.Name+"\n\n"+r.Summary+".\n") {
			t.Errorf("%s: its page does not begin with its summary (%v)", r.Name, err)
		}
	}
}
