package sqlite

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// blockSeqs is how many numbers a block of the table blocks has.
const blockSeqs = 1024

// The kinds of values in the table blocks.
const (
	kindClass = iota + 1
	kindCamera
	kindFlag
	kindTrack
	kindCell
	kindHour
)

// search is a Query as SQL: conditions over the rows of the catalogue, and queries for the blocks in which there is
// something for each of them.
type search struct {
	where  []string
	args   []any
	blocks []statement
}

type statement struct {
	text string
	args []any
}

func searchOf(q *detection.Query) search {
	s := search{where: []string{"c.retracts IS NULL"}}
	if !q.Retracted {
		s.where = append(s.where, "c.retracted_at IS NULL")
	}
	for _, equal := range []struct {
		kind          int
		column, value string
	}{
		{kindTrack, "track", q.Track}, {kindCamera, "camera", q.Camera}, {kindClass, "class", q.Class}, {kindFlag, "flag", string(q.Flag)},
	} {
		if value := text(equal.value); value != "" {
			s.and("c."+equal.column+" = ?", value)
			s.in(`SELECT block FROM blocks WHERE kind = ? AND value = ?`, equal.kind, value)
		}
	}
	if !q.From.IsZero() || !q.Until.IsZero() {
		s.between(q.From, q.Until)
	}
	if q.Within != nil {
		s.within(q.Within)
	}
	return s
}

func (s *search) and(condition string, args ...any) {
	s.where, s.args = append(s.where, condition), append(s.args, args...)
}

func (s *search) in(blocks string, args ...any) {
	s.blocks = append(s.blocks, statement{blocks, args})
}

func (s *search) between(from, until time.Time) {
	first, last := int64(math.MinInt64), int64(math.MaxInt64)
	if !from.IsZero() {
		first = from.UnixMicro()
	}
	if !until.IsZero() {
		last = until.UnixMicro()
	}
	s.and("c.seen_at BETWEEN ? AND ?", first, last)
	s.in(`SELECT block FROM blocks WHERE kind = ? AND value BETWEEN ? AND ?`, kindHour, hourOf(first), hourOf(last))
}

// within holds the position itself against the box, and looks in the blocks of the cells that the box touches: for each row
// of cells, from one to another.
func (s *search) within(b *detection.Box) {
	s.and("c.lat BETWEEN ? AND ?", b.South, b.North)
	var meridians []string
	var args []any
	for _, r := range b.Meridians() {
		meridians, args = append(meridians, "c.lon BETWEEN ? AND ?"), append(args, r[0], r[1])
	}
	s.and("("+strings.Join(meridians, " OR ")+")", args...)

	var areas []string
	args = []any{hundredths(b.South + 90), hundredths(b.North + 90)}
	for _, columns := range columnsOf(b) {
		areas = append(areas, `SELECT r * ? + ?, r * ? + ? FROM band`)
		args = append(args, cellColumns, columns.first, cellColumns, columns.last)
	}
	s.in(`SELECT block FROM (WITH RECURSIVE band (r) AS (SELECT ? UNION ALL SELECT r + 1 FROM band WHERE r < ?),
		area (low, high) AS (`+strings.Join(areas, " UNION ALL ")+`)
		SELECT block FROM area CROSS JOIN blocks ON kind = ? AND value BETWEEN low AND high)`, append(args, kindCell)...)
}

// columnsOf returns the columns of cells that a box touches, none of them twice: its two ends may be in one.
func columnsOf(b *detection.Box) spans {
	var columns spans
	for _, r := range b.Meridians() {
		columns = append(columns, span{hundredths(r[0] + 180), hundredths(r[1] + 180)})
	}
	slices.SortFunc(columns, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	disjoint := columns[:1]
	for _, c := range columns[1:] {
		if end := &disjoint[len(disjoint)-1]; c.first <= end.last {
			end.last = max(end.last, c.last)
			continue
		}
		disjoint = append(disjoint, c)
	}
	return disjoint
}

// candidates is the query for the blocks below a position in which there may be what is searched for, the newest first. ok is
// false when every block may have it.
func (s search) candidates(before int64) (query statement, ok bool) {
	var texts []string
	for _, b := range s.blocks {
		texts, query.args = append(texts, b.text), append(query.args, b.args...)
	}
	query.text = `SELECT block FROM (` + strings.Join(texts, " INTERSECT ") + `) WHERE +block <= ? GROUP BY block ORDER BY block DESC`
	query.args = append(query.args, before/blockSeqs)
	return query, len(s.blocks) > 0
}

// entries is the query for up to limit entries below a position and, unless it is empty, in a JSON list of blocks.
func (s search) entries(blocks string, before int64, limit int) statement {
	from, below, args := "catalogue c", "c.seq < ?", []any{}
	if blocks != "" {
		below = "+c.seq < ?" // a block ends sooner: with the plus SQLite takes that for the end of the range
		from = "json_each(?) b CROSS JOIN catalogue c ON c.seq >= b.value * 1024 AND c.seq < (b.value + 1) * 1024"
		args = append(args, blocks)
	}
	text := `SELECT d.seq, d.body, f.retracted_at FROM (SELECT c.seq, c.retracted_at FROM ` + from +
		` WHERE ` + strings.Join(s.where, " AND ") + ` AND ` + below + ` ORDER BY c.seq DESC LIMIT ?) f
		JOIN detections d ON d.seq = f.seq ORDER BY f.seq DESC`
	return statement{text, append(append(args, s.args...), before, limit)}
}

// cellColumns is how many cells there are from 180 degrees west to 180 degrees east, both included.
const cellColumns = 36001

// cellOf is the cell of a position, as the view block_facts counts.
func cellOf(latDeg, lonDeg float64) int64 {
	return hundredths(latDeg+90)*cellColumns + hundredths(lonDeg+180)
}

func hundredths(deg float64) int64 { return int64(math.Trunc(deg * 100)) }

// hourOf is the hour since 1970 that a time in microseconds is in.
func hourOf(micros int64) int64 {
	const hour = int64(time.Hour / time.Microsecond)
	h := micros / hour
	if micros%hour < 0 {
		h--
	}
	return h
}
