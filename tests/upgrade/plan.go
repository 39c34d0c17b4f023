package upgrade

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Pair is who installs and rolls back, and who upgrades.
type Pair struct{ Install, Upgrade Helm }

// Pairs are the ways that users go: one version of Helm for everything, and from Helm 3 to Helm 4.
func Pairs() []Pair { return []Pair{{Helm3, Helm3}, {Helm4, Helm4}, {Helm3, Helm4}} }

// Site is what a user of an old version sets.
type Site struct {
	// Install are the values that the old version runs with.
	Install map[string]any
	// Upgrades holds, for each `helm upgrade` to the new chart in their order, the values that are set in it over those that
	// were set before; a nil takes one away. None is one upgrade without changes.
	Upgrades []map[string]any
}

// Step is one step of a row, already done, as Check sees it.
type Step struct {
	// Name is install, upgrade, rollback, upgrade again or uninstall. Further upgrades are numbered: upgrade 2.
	Name string
	// Namespace and Release say where.
	Namespace, Release string
	// From and To are the versions of the row, Chart is the one that runs after the step; it is empty after uninstall.
	From, To, Chart string
	// Helm did the step.
	Helm Helm
	// Duration is Helm's time, Checked the time of Check after it.
	Duration, Checked time.Duration
}

// Plan says what is upgraded. All fields but Sites, Pairs and Check are needed.
type Plan struct {
	// Config is the access to the cluster.
	Config *rest.Config
	// Release is the name of each release; each row has a namespace of its own.
	Release string
	// From are the released versions, To is the chart that they are upgraded to.
	From []*Chart
	To   *Chart
	// Namespace makes a namespace for a row, with what has to be there before the chart, and returns its name. It is called
	// for several rows at the same time.
	Namespace func(ctx context.Context, from *Chart, pair Pair) (string, error)
	// Sites are what users of a version set, by version. A version of none is installed and upgraded with the defaults.
	Sites map[string]Site
	// Pairs are the versions of Helm; empty: Pairs().
	Pairs []Pair
	// Check looks at the cluster after each step, waits for what it wants to see, and returns an error if it is wrong. It is
	// called for several rows at the same time.
	Check func(ctx context.Context, step Step) error

	// connect is replaced by tests that have no cluster.
	connect func(h Helm, config *rest.Config, namespace, release string) (client, error)
}

// Run runs all rows at the same time, each in its own namespace. The matrix holds what was done even when there is an error.
func (p Plan) Run(ctx context.Context) (Matrix, error) {
	if err := p.complete(); err != nil {
		return nil, fmt.Errorf("upgrade plan: %w", err)
	}
	matrix := make(Matrix, 0, len(p.From)*len(p.Pairs))
	var rows sync.WaitGroup
	for _, from := range p.From {
		for _, pair := range p.Pairs {
			matrix = append(matrix, Row{From: from.Version, To: p.To.Version, Pair: pair})
			row := &matrix[len(matrix)-1]
			rows.Go(func() {
				if err := p.run(ctx, from, row); err != nil {
					row.Err = fmt.Errorf("%s to %s, %s: %w", row.From, row.To, pair, err)
				}
			})
		}
	}
	rows.Wait()
	var failures []error
	for _, row := range matrix {
		failures = append(failures, row.Err)
	}
	return matrix, errors.Join(failures...)
}

// complete fills in what is optional and refuses a plan that would test nothing.
func (p *Plan) complete() error {
	if len(p.From) == 0 {
		return errors.New("no released version is given, so nothing would be tested")
	}
	if p.To == nil || p.Namespace == nil || p.Release == "" {
		return errors.New("the new chart, the namespaces and the name of the release are needed")
	}
	known := map[string]bool{}
	for _, from := range p.From {
		if err := differ(from, p.To); err != nil {
			return err
		}
		known[from.Version] = true
	}
	for version := range p.Sites {
		if !known[version] {
			return fmt.Errorf("values are given for version %s, which is not upgraded from", version)
		}
	}
	if len(p.Pairs) == 0 {
		p.Pairs = Pairs()
	}
	if p.Check == nil {
		p.Check = func(context.Context, Step) error { return nil }
	}
	if p.connect == nil {
		p.connect = connect
	}
	return nil
}

// String names a pair.
func (p Pair) String() string {
	if p.Install == p.Upgrade {
		return p.Install.String()
	}
	return p.Install.String() + " to " + p.Upgrade.String()
}
