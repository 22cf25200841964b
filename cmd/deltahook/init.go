package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/agext/levenshtein"
	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs/recipes"
)

// initFlags are those of `deltahook init`.
type initFlags struct {
	list           bool
	curl, name, to string
}

func (a *app) initCommand() *cobra.Command {
	var flags initFlags
	cmd := &cobra.Command{
		Use:     "init RECIPE | --list | --from-curl COMMAND",
		GroupID: "dry",
		Short:   "Write a configuration to start from: a recipe, or what a curl command asks",
		Long: `Write a configuration to start from. A recipe is a commented one for a known
API; --list names them. With --from-curl a curl command, as documents and
browsers give it ("Copy as cURL", of bash or cmd), becomes a source; what looks
like a secret, by its name or its form, is replaced by a variable, and the
variables to set are listed. Nothing is run or asked, and no file is
overwritten.`,
		Example: `  deltahook init usgs-quakes
  deltahook init --from-curl 'curl -H "Authorization: Bearer $TOKEN" https://api.example/v1/orders'
  deltahook init --from-curl - --name orders < command.txt`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.init(cmd, flags, args)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if len(args) == 0 {
				for _, r := range recipes.All() {
					names = append(names, r.Name+"\t"+r.Summary)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().BoolVar(&flags.list, "list", false, "name the recipes")
	cmd.Flags().StringVar(&flags.curl, "from-curl", "", "make a source of this curl command; - reads it from standard input")
	cmd.Flags().StringVar(&flags.name, "name", "", "name of the source that --from-curl makes (default: from the host)")
	cmd.Flags().StringVarP(&flags.to, "output", "o", "deltahook.yaml", "file to write; - is standard output")
	_ = cmd.MarkFlagFilename("output", "yaml", "yml")
	return cmd
}

// init does what the flags and the one or no argument say.
func (a *app) init(cmd *cobra.Command, flags initFlags, args []string) error {
	fromCurl := cmd.Flags().Changed("from-curl")
	switch {
	case flags.list && fromCurl:
		return a.usage("--list and --from-curl do not go together")
	case flags.list && len(args) == 0:
		return a.listRecipes()
	case fromCurl && len(args) == 0:
		return a.initCurl(cmd.InOrStdin(), flags)
	case len(args) == 0:
		return a.usage("name a recipe, or give --list or --from-curl")
	case flags.list || fromCurl:
		return a.usage("a recipe's name does not go with --list or --from-curl")
	case flags.name != "":
		return a.usage("--name is for --from-curl")
	}
	recipe, err := a.recipeNamed(args[0])
	if err != nil {
		return err
	}
	if err := a.writeNew(flags.to, recipe.Text); err != nil {
		return err
	}
	if flags.to != "-" {
		fmt.Fprintf(a.err, "%s is written. Set what its first lines name, then: deltahook check --config %[1]s\n", flags.to)
	}
	return nil
}

func (a *app) listRecipes() error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, group := range []struct{ shows, title string }{
		{recipes.API, "From an API, to a receiver of your own:"},
		{recipes.Receiver, "\nTo a chat, or to Zapier:"},
	} {
		fmt.Fprintln(w, group.title)
		for _, r := range recipes.All() {
			if r.Shows == group.shows {
				fmt.Fprintf(w, "  %s\t%s\n", r.Name, r.Summary)
			}
		}
	}
	return w.Flush()
}

// recipeNamed is the recipe of a name, or an error with the nearest one.
func (a *app) recipeNamed(name string) (recipes.Recipe, error) {
	hint, nearest := "", max(1, min(3, len(name)/2))+1
	for _, r := range recipes.All() {
		if r.Name == name {
			return r, nil
		}
		d := levenshtein.Distance(strings.ToLower(name), r.Name, nil)
		if strings.HasPrefix(r.Name, strings.ToLower(name)) && name != "" {
			d = 0
		}
		if d < nearest {
			nearest, hint = d, fmt.Sprintf(" (did you mean %q?)", r.Name)
		}
	}
	return recipes.Recipe{}, a.usage("there is no recipe %q%s; 'deltahook init --list' names them", name, hint)
}

// writeNew writes a file that is not there yet, for its owner alone, as
// configurations come to hold secrets; or to standard output.
func (a *app) writeNew(path string, text []byte) (err error) {
	if path == "-" {
		_, err = a.out.Write(text)
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and is left as it is; name another file by -o", path)
	}
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	return f.Close()
}

// readCommand is the command that --from-curl names, or standard input's.
func readCommand(flag string, in io.Reader) (string, error) {
	if flag != "-" {
		return flag, nil
	}
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if len(text) > most {
		return "", fmt.Errorf("the command on standard input is longer than %d bytes", most)
	}
	return string(text), err
}
