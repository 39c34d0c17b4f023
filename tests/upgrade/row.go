package upgrade

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Matrix is what a plan did.
type Matrix []Row

// Row is one way from an old version to the new one and back.
type Row struct {
	From, To string
	Pair     Pair
	// Steps are those that were done, in their order.
	Steps []Step
	// Owners tells, for each object after the last upgrade, who owns fields of it: "helm Apply". See Owners.
	Owners map[string][]string
	// Err is why the row ended early.
	Err error
}

// String is the matrix as a table.
func (m Matrix) String() string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FROM\tTO\tBY\tSTEP\tHELM\tCHECK")
	for _, row := range m {
		for _, step := range row.Steps {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", row.From, row.To, step.Helm, step.Name, round(step.Duration), round(step.Checked))
		}
		if row.Err != nil {
			fmt.Fprintf(table, "%s\t%s\t%s\tfailed\t\t\n", row.From, row.To, row.Pair)
		}
	}
	_ = table.Flush()
	return text.String()
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

// walk is a row while it is run.
type walk struct {
	Plan
	row       *Row
	namespace string
	installer client
	upgrader  client
	selectors map[string]string
}

func (p Plan) run(ctx context.Context, from *Chart, row *Row) error {
	namespace, err := p.Namespace(ctx, from, row.Pair)
	if err != nil {
		return fmt.Errorf("make a namespace: %w", err)
	}
	w := &walk{Plan: p, row: row, namespace: namespace}
	if w.installer, err = p.connect(row.Pair.Install, p.Config, namespace, p.Release); err != nil {
		return err
	}
	w.upgrader = w.installer
	if row.Pair.Upgrade != row.Pair.Install {
		if w.upgrader, err = p.connect(row.Pair.Upgrade, p.Config, namespace, p.Release); err != nil {
			return err
		}
	}
	return w.run(ctx, from)
}

func (w *walk) run(ctx context.Context, from *Chart) error {
	site := w.Sites[from.Version]
	install := func() error { return w.installer.install(ctx, from, copied(site.Install)) }
	if err := w.step(ctx, "install", from.Version, w.row.Pair.Install, install); err != nil {
		return err
	}
	before, _, err := w.installer.deployed()
	if err != nil {
		return err
	}
	if err := w.upgrades(ctx, "upgrade", site); err != nil {
		return err
	}
	rollback := func() error { return w.upgrader.rollback(before) }
	if err := w.step(ctx, "rollback", from.Version, w.row.Pair.Upgrade, rollback); err != nil {
		return err
	}
	if err := w.upgrades(ctx, "upgrade again", site); err != nil {
		return err
	}
	return w.step(ctx, "uninstall", "", w.row.Pair.Upgrade, w.upgrader.uninstall)
}

// upgrades does each upgrade that the site does.
func (w *walk) upgrades(ctx context.Context, name string, site Site) error {
	sets := site.Upgrades
	if len(sets) == 0 {
		sets = []map[string]any{{}}
	}
	for i, values := range sets {
		numbered := name
		if i > 0 {
			numbered = fmt.Sprintf("%s %d", name, i+1)
		}
		upgrade := func() error { return w.upgrader.upgrade(ctx, w.To, copied(values)) }
		if err := w.step(ctx, numbered, w.To.Version, w.row.Pair.Upgrade, upgrade); err != nil {
			return err
		}
	}
	return nil
}

// step does a step, and checks what it left.
func (w *walk) step(ctx context.Context, name, chart string, helm Helm, do func() error) error {
	step := Step{
		Name: name, Namespace: w.namespace, Release: w.Release, From: w.row.From, To: w.row.To, Chart: chart, Helm: helm,
	}
	began := time.Now()
	err := do()
	step.Duration = time.Since(began)
	w.row.Steps = append(w.row.Steps, step)
	if err != nil {
		return fmt.Errorf("%s by %s: %w", name, helm, err)
	}
	if chart != "" {
		if err := w.look(ctx); err != nil {
			return fmt.Errorf("after %s: %w", name, err)
		}
	}
	began = time.Now()
	err = w.Check(ctx, step)
	w.row.Steps[len(w.row.Steps)-1].Checked = time.Since(began)
	if err != nil {
		return fmt.Errorf("after %s: %w", name, err)
	}
	return nil
}

// look holds the selectors of this step's workloads against those of the step before, and notes who owns the fields.
func (w *walk) look(ctx context.Context) error {
	_, manifest, err := w.upgrader.deployed()
	if err != nil {
		return err
	}
	selectors, err := selectors(manifest)
	if err != nil {
		return err
	}
	if err := sameSelectors(w.selectors, selectors); err != nil {
		return err
	}
	w.selectors = selectors
	if w.Config == nil {
		return nil
	}
	w.row.Owners, err = Owners(ctx, w.Config, w.namespace, manifest)
	return err
}

// copied returns a copy of values, because Helm changes what it is given.
func copied(values map[string]any) map[string]any {
	result := map[string]any{}
	for key, value := range values {
		if mapping, ok := value.(map[string]any); ok {
			value = copied(mapping)
		}
		result[key] = value
	}
	return result
}
