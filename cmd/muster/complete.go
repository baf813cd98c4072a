package main

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

// completion returns the values that a shell offers for an argument or a flag.
type completion = func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective)

// completionTimeout is the longest time that a person waits for values from the database.
const completionTimeout = 5 * time.Second

// words offers fixed values.
func words(list ...string) completion {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag sets the values that a shell offers for a flag of a command.
func completeFlag(cmd *cobra.Command, name string, values completion) {
	if err := cmd.RegisterFlagCompletionFunc(name, values); err != nil {
		panic(err) // the command has no such flag, or it has values already
	}
}

// collectionOf is what a command filters and sorts, by its path.
var collectionOf = map[string]string{
	"accounts list": "accounts", "entitlements holders": "accounts", "entitlements list": "entitlements",
	"identities list": "identities", "identities owned": "owned", "operations list": "operations",
	"preview": "identities", "roles assignments": "role-assignments", "roles members": "role-members",
	"tasks list": "tasks", // whose flags "tasks" has too
}

// completeValues sets the values that a shell offers for the arguments and flags of all commands.
func (a *app) completeValues(root *cobra.Command) {
	arguments := map[string][]completion{
		"aggregate": {a.sources}, "roles assign": {nil, a.roles}, "roles members": {a.roles},
		"roles revoke": {nil, a.roles}, "source aggregate": {a.sources}, "source discover": {a.sources},
		"source sync": {a.sources}, "source test": {a.sources},
	}
	flags := map[string]completion{
		"attribute": a.attributes, "profile": a.profiles, "role": a.roles, "role-name": a.roles, "source": a.sources,
	}
	for cmd := range commandsBelow(root) {
		path := strings.TrimPrefix(cmd.CommandPath(), "muster ")
		if values, known := arguments[path]; known {
			cmd.ValidArgsFunction = position(values)
		}
		for name, values := range flags {
			if cmd.LocalFlags().Lookup(name) != nil && path != "roles assign" {
				completeFlag(cmd, name, values)
			}
		}
		if path == "identities list" {
			completeFlag(cmd, "columns", a.columns)
		}
		collection, filtered := collectionOf[path]
		if !filtered {
			continue
		}
		if cmd.Flags().Lookup("filters") != nil {
			completeFlag(cmd, "filters", a.fieldsOf(collection, filterWord))
		}
		if cmd.Flags().Lookup("sorters") != nil {
			completeFlag(cmd, "sorters", a.fieldsOf(collection, sorterWord))
		}
	}
}

// position offers for each argument the values of its place; nil for none.
func position(places []completion) completion {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(places) || places[len(args)] == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return places[len(args)](cmd, args, typed)
	}
}

func (a *app) sources(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.objects(cmd, "SOURCE", typed)
}

func (a *app) roles(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.objects(cmd, "ROLE", typed)
}

func (a *app) profiles(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.objects(cmd, "IDENTITY_PROFILE", typed)
}

// objects offers the names of the objects of a type.
func (a *app) objects(cmd *cobra.Command, kind engine.ObjectType, typed string) ([]cobra.Completion,
	cobra.ShellCompDirective,
) {
	return a.fromEngine(cmd, typed, func(ctx context.Context, eng *engine.Engine) ([]string, error) {
		objects, err := eng.ConfigurationObjects(ctx, kind)
		var names []string
		for i := range objects {
			names = append(names, objects[i].Name)
		}
		return names, err
	})
}

func (a *app) attributes(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.fromEngine(cmd, typed, func(ctx context.Context, eng *engine.Engine) ([]string, error) {
		return eng.IdentityAttributes(ctx)
	})
}

// columns offers the members and attributes of an identity for the last of several columns.
func (a *app) columns(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before, last := cutLast(typed, ",")
	members, err := identityMembers()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	attributes, _ := a.fromEngine(cmd, last, func(ctx context.Context, eng *engine.Engine) ([]string, error) {
		return eng.IdentityAttributes(ctx)
	})
	return prefixed(before, last, slices.Concat(members, attributes)),
		cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// fieldsOf offers the fields of a collection where a filter or sorters can name one. split cuts the text there.
func (a *app) fieldsOf(collection string, split func(string) (before, word string, field bool)) completion {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		before, word, field := split(typed)
		if !field {
			return nil, directive
		}
		schema, err := schemaOf(collection, true)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for _, f := range schema.Fields() {
			names = append(names, f.Name)
		}
		if collection == "identities" || collection == "role-members" {
			attributes, _ := a.fromEngine(cmd, word, func(ctx context.Context, eng *engine.Engine) ([]string, error) {
				return eng.IdentityAttributes(ctx)
			})
			names = append(names, attributes...)
		}
		return prefixed(before, word, names), directive
	}
}

// sorterWord cuts sorters before the field that is typed.
func sorterWord(text string) (before, word string, field bool) {
	before, word = cutLast(text, ",")
	if rest, descending := strings.CutPrefix(word, "-"); descending {
		return before + "-", rest, true
	}
	return before, word, true
}

// filterWord cuts a filter before the word that is typed, and reports whether that can be a field: at the beginning,
// behind a parenthesis, and behind and, or and not.
func filterWord(text string) (before, word string, field bool) {
	at := strings.LastIndexAny(text, " (") + 1
	before, word = text[:at], text[at:]
	trimmed := strings.TrimRight(before, " ")
	if trimmed == "" || strings.HasSuffix(trimmed, "(") {
		return before, word, strings.Count(trimmed, `"`)%2 == 0
	}
	last := trimmed[strings.LastIndexAny(trimmed, " (")+1:]
	follows := slices.ContainsFunc([]string{"and", "or", "not", "pr"}, func(w string) bool {
		return strings.EqualFold(w, last)
	})
	return before, word, follows && strings.Count(trimmed, `"`)%2 == 0
}

// cutLast cuts a text behind the last separator.
func cutLast(text, separator string) (before, last string) {
	at := strings.LastIndex(text, separator) + 1
	return text[:at], text[at:]
}

// prefixed returns what comes before, with each of the names that begin with a word, sorted and each once.
func prefixed(before, word string, names []string) []string {
	var values []string
	for _, name := range names {
		if len(name) >= len(word) && strings.EqualFold(name[:len(word)], word) {
			values = append(values, before+name)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// fromEngine offers what the engine has. Where the database cannot be asked, nothing is offered: a shell has no place
// for an error. It neither makes nor migrates a private database.
func (a *app) fromEngine(cmd *cobra.Command, typed string, read func(context.Context, *engine.Engine) ([]string, error),
) ([]cobra.Completion, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp
	if err := a.settle(cmd); err != nil {
		cobra.CompDebugln(err.Error(), false)
		return nil, directive
	}
	if a.databaseURL == "" {
		dir, err := a.dataFolder()
		if err != nil {
			return nil, directive
		}
		if _, err := os.Stat(filepath.Join(dir, "data")); err != nil {
			return nil, directive
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	var names []string
	err := a.withDatabase(ctx, func(d *database) error {
		config, err := a.engineConfig()
		if err != nil {
			return err
		}
		eng, err := engine.New(ctx, d.pool, config)
		if err != nil {
			return err
		}
		names, err = read(ctx, eng)
		return err
	})
	if err != nil {
		cobra.CompDebugln(err.Error(), false)
		return nil, directive
	}
	return prefixed("", typed, names), directive
}

// commandsBelow are a command and all below it.
func commandsBelow(cmd *cobra.Command) iter.Seq[*cobra.Command] {
	return func(yield func(*cobra.Command) bool) {
		var walk func(*cobra.Command) bool
		walk = func(c *cobra.Command) bool {
			if !yield(c) {
				return false
			}
			for _, child := range c.Commands() {
				if !walk(child) {
					return false
				}
			}
			return true
		}
		walk(cmd)
	}
}
