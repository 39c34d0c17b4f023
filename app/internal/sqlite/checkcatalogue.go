package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// differing is the first row of the catalogue that is missing or not what the detection says. Numbers that SQLite read from
// text may differ in their last digit. Rows behind the newest one are made at the next start.
const differing = `SELECT f.seq FROM facts f LEFT JOIN catalogue c ON c.seq = f.seq
WHERE f.seq <= (SELECT max(seq) FROM catalogue) AND (c.seq IS NULL OR c.seen_at IS NOT f.seen_at
  OR (c.lat IS NULL) <> (f.lat IS NULL) OR abs(c.lat - f.lat) > 1e-9 OR (c.lon IS NULL) <> (f.lon IS NULL) OR abs(c.lon - f.lon) > 1e-9
  OR c.class IS NOT f.class OR c.camera IS NOT f.camera OR c.flag IS NOT f.flag OR c.track IS NOT f.track
  OR c.key IS NOT f.key OR c.retracts IS NOT f.retracts) LIMIT 1`

// surplus is the first row of the catalogue without a detection.
const surplus = `SELECT seq FROM catalogue WHERE seq NOT IN (SELECT seq FROM detections) LIMIT 1`

// unmarked is the first detection that an entry takes back and the catalogue does not say so, or the other way round. A
// release that knows no retractions may have removed the entry.
const unmarked = `SELECT t.seq FROM catalogue r JOIN detections d ON d.seq = r.seq JOIN detections t ON t.id = r.retracts
JOIN catalogue c ON c.seq = t.seq WHERE r.retracts IS NOT NULL AND c.retracted_at IS NOT d.received_at
UNION ALL
SELECT c.seq FROM catalogue c JOIN detections t USING (seq) WHERE c.retracted_at IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM catalogue r WHERE r.retracts = t.id) AND NOT EXISTS (SELECT 1 FROM removed)
LIMIT 1`

// unblocked is the first detection that a search would pass over.
const unblocked = `SELECT seq FROM block_facts f WHERE value IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.kind = f.kind AND b.value = f.value AND b.block = f.seq / 1024) LIMIT 1`

// misled is the first detection whose row does not point at the audit entry that says it was accepted.
const misled = `SELECT c.seq FROM catalogue c JOIN detections d USING (seq) LEFT JOIN audit a ON a.seq = c.accepted
WHERE a.event IS NOT 'accepted' OR a.detection_id IS NOT d.id LIMIT 1`

// checkCatalogue holds the catalogue against the detections, which the audit trail vouches for.
func checkCatalogue(ctx context.Context, conn *sql.Conn) error {
	found, err := hasTable(ctx, conn, "catalogue")
	if err != nil || !found {
		return err
	}
	for _, c := range []struct{ query, complaint string }{
		{differing, "detection number %d is not in the catalogue as it is"},
		{surplus, "the catalogue has number %d, which is no detection"},
		{unblocked, "detection number %d is not in the catalogue where it would be looked for"},
		{misled, "the catalogue is wrong about the audit entry of number %d"},
		{unmarked, "the catalogue is wrong about the retraction of number %d"},
	} {
		rows, err := conn.QueryContext(ctx, c.query)
		if err != nil {
			return fmt.Errorf("read the catalogue: %w", err)
		}
		seqs, err := scanNumbers(rows)
		if err != nil {
			return fmt.Errorf("read the catalogue: %w", err)
		}
		if len(seqs) > 0 {
			return fmt.Errorf(c.complaint, seqs[0])
		}
	}
	return nil
}

func scanNumbers(rows *sql.Rows) (numbers []int64, err error) {
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	return numbers, rows.Err()
}
