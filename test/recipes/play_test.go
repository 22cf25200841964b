package recipes_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/configs/recipes"
)

// play is how a recipe is played.
type play struct {
	env     []string // with API for the simulator's URL, HOOK for the receiver's
	tokens  func(http.ResponseWriter, *http.Request) bool
	further func(*http.Request) bool
	refuse  func(*http.Request) string
	steps   []step

	receiver func(*testing.T) (string, <-chan string) // nil: newReceiver

	run func(*testing.T) // in the place of all that
}

// step is one answer, and the webhooks that follow from it, in any order.
type step struct {
	put    string // a watch key that is added while the poll waits for the answer
	answer func(*testing.T) http.HandlerFunc
	told   []string
	quiet  time.Duration // for so long nothing else is told
	last   bool          // of its keys: nothing is polled any more
}

// ended reports whether nothing is polled before a step.
func (p play) ended(step int) bool { return step > 0 && p.steps[step-1].last }

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
			if p.run != nil {
				p.run(t)
				return
			}
			var answers []http.HandlerFunc
			for _, s := range p.steps {
				answers = append(answers, s.answer(t)) // skips before anything is started
			}
			a := newAPI(t, p)
			receiver := newReceiver
			if p.receiver != nil {
				receiver = p.receiver
			}
			hook, got := receiver(t)
			env := []string{"WEBHOOK_URL=" + hook, "WEBHOOK_SECRET=" + whsec}
			for _, v := range p.env {
				name, value, _ := strings.Cut(v, "=")
				env = append(env, name+"="+strings.NewReplacer("API", a.URL, "HOOK", hook).Replace(value))
			}
			d := daemon(t, r.Name, env)
			for i, s := range p.steps {
				if s.put != "" {
					if !p.ended(i) {
						a.settled(t)
					}
					d.put(t, s.put)
				}
				a.play(t, answers[i])
				if !s.last {
					a.settled(t)
				}
				var told []string
				for _, line := range s.told {
					told = append(told, strings.ReplaceAll(line, " API/", " "+a.URL+"/"))
				}
				compare(t, i, told, s.quiet, got)
				if s.last {
					a.rests(t)
				}
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
func compare(t *testing.T, step int, want []string, quiet time.Duration, got <-chan string) {
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
	case <-time.After(max(quiet, 100*time.Millisecond)): // what is told was committed before; it is only sent
	}
	slices.Sort(told)
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), told); diff != "" {
		t.Fatalf("step %d: told (-want +got):\n%s", step, diff)
	}
}
