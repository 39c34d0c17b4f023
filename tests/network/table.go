package network

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Verdict is what the policies at one end of a connection say.
type Verdict struct {
	Allowed bool
	// Selected says whether any policy selects that end for the direction; if none does, everything is allowed there.
	Selected bool
	// Policies are the names of those that grant the connection, in their order.
	Policies []string
}

// String names the policies that grant, or says why there are none.
func (v Verdict) String() string {
	switch {
	case !v.Selected:
		return "(no policy)"
	case !v.Allowed:
		return "DENIED"
	}
	return strings.Join(v.Policies, ",")
}

// Row is one connection: from a source to a port of a destination.
type Row struct {
	Source, Destination string
	Port                Port
	// Egress is the verdict at the source, Ingress the one at the destination.
	Egress, Ingress Verdict
}

// Allowed says whether both ends let the connection pass.
func (r Row) Allowed() bool { return r.Egress.Allowed && r.Ingress.Allowed }

// Half says whether a policy at one end grants the connection while the other end denies it: one of the two policies
// that a connection needs is missing, or the other one grants too much.
func (r Row) Half() bool {
	granted := len(r.Egress.Policies) > 0 || len(r.Ingress.Policies) > 0
	return granted && !r.Allowed()
}

// String is the connection without verdicts, for instance "web -> db:5432/TCP".
func (r Row) String() string {
	return fmt.Sprintf("%s -> %s:%d/%s", r.Source, r.Destination, r.Port.Number, r.Port.Protocol)
}

// Table is the answer to every question about a set of peers.
type Table struct {
	Rows  []Row
	peers []Peer
}

// Filter returns a table of the rows for which keep is true.
func (t Table) Filter(keep func(Row) bool) Table {
	filtered := Table{peers: t.peers}
	for _, row := range t.Rows {
		if keep(row) {
			filtered.Rows = append(filtered.Rows, row)
		}
	}
	return filtered
}

// Touching returns the rows with one of the named peers at either end.
func (t Table) Touching(names ...string) Table {
	return t.Filter(func(r Row) bool { return slices.Contains(names, r.Source) || slices.Contains(names, r.Destination) })
}

// Allowed returns the rows of connections that pass.
func (t Table) Allowed() Table { return t.Filter(Row.Allowed) }

// Sources returns who may reach a port of a destination, in the order of the peers.
func (t Table) Sources(destination string, number int32) []string {
	var sources []string
	for _, row := range t.Rows {
		if row.Destination == destination && row.Port.Number == number && row.Allowed() {
			sources = append(sources, row.Source)
		}
	}
	return slices.Compact(sources)
}

// String lists the peers that were asked about, every connection that passes with the policies that grant it, and the
// half connections. What is not listed is denied.
func (t Table) String() string {
	var b strings.Builder
	b.WriteString("# peers: name, ports, namespace, labels or address\n")
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, peer := range t.peers {
		fmt.Fprintf(table, "%s\t%s\t%s\n", peer.Name, peer.ports(), peer.where())
	}
	section(table, "# allowed: from, to, port, egress granted by, ingress granted by", t.Allowed())
	section(table, "# half open: one end grants what the other denies", t.Filter(Row.Half))
	_ = table.Flush() // a strings.Builder does not fail
	fmt.Fprintf(&b, "# denied: the other %d of %d\n", len(t.Rows)-len(t.Allowed().Rows), len(t.Rows))
	return trimLines(b.String())
}

// trimLines removes the blanks that the columns leave at the ends of lines.
func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

func section(table *tabwriter.Writer, title string, t Table) {
	_ = table.Flush()
	fmt.Fprintln(table, title)
	_ = table.Flush()
	for _, r := range t.Rows {
		fmt.Fprintf(table, "%s\t-> %s\t%d/%s\t%s\t%s\n", r.Source, r.Destination, r.Port.Number, r.Port.Protocol, r.Egress, r.Ingress)
	}
}

func (p Peer) where() string {
	if p.Namespace == "" {
		return "outside\t" + p.Address
	}
	pairs := make([]string, 0, len(p.Labels))
	for key, value := range p.Labels {
		pairs = append(pairs, key+"="+value)
	}
	slices.Sort(pairs)
	return p.Namespace + "\t" + strings.Join(pairs, ",")
}

func (p Peer) ports() string {
	texts := make([]string, 0, len(p.Ports))
	for _, port := range p.Ports {
		texts = append(texts, fmt.Sprintf("%d/%s", port.Number, port.Protocol))
	}
	return strings.Join(texts, " ")
}
