package sqlite

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// span is a range of numbers, both ends included.
type span struct{ first, last int64 }

// spans is a set of numbers. It may be out of order until it is normal.
type spans []span

// add puts a number in. Numbers that come in order make one span.
func (s *spans) add(n int64) { s.addSpan(span{n, n}) }

func (s *spans) addSpan(r span) {
	if end := len(*s) - 1; end >= 0 && (*s)[end].last+1 == r.first {
		(*s)[end].last = r.last
		return
	}
	*s = append(*s, r)
}

// normal returns the same set in order with neighbours joined. No number may be in it twice.
func (s spans) normal() (spans, error) {
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	out := spans{}
	for _, r := range s {
		if end := len(out) - 1; end >= 0 && out[end].last >= r.first {
			return nil, fmt.Errorf("%d is there twice", r.first)
		}
		out.addSpan(r)
	}
	return out, nil
}

// above returns the part of a set whose numbers are greater than floor.
func (s spans) above(floor int64) spans {
	var out spans
	for _, r := range s {
		if r.last > floor {
			out = append(out, span{max(r.first, floor+1), r.last})
		}
	}
	return out
}

// without returns the first number of a normal set that is not in another normal one.
func (s spans) without(other spans) (n int64, found bool) {
	for _, r := range s {
		i := slices.IndexFunc(other, func(o span) bool { return o.last >= r.first })
		if i < 0 || other[i].first > r.first {
			return r.first, true
		}
		if other[i].last < r.last {
			return other[i].last + 1, true
		}
	}
	return 0, false
}

// String is the set as an audit entry has it, such as 1-500,502.
func (s spans) String() string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(r.first, 10))
		if r.last > r.first {
			b.WriteString("-" + strconv.FormatInt(r.last, 10))
		}
	}
	return b.String()
}

// parseSpans reads what String wrote.
func parseSpans(text string) (spans, error) {
	var out spans
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(part, "-")
		first, err := strconv.ParseInt(from, 10, 64)
		last := first
		if err == nil && ranged {
			last, err = strconv.ParseInt(to, 10, 64)
		}
		if err == nil && (first < 1 || last < first) {
			err = errors.New("not a range")
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", part, err)
		}
		out = append(out, span{first, last})
	}
	return out, nil
}
