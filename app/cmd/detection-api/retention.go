package main

import (
	"flag"
	"time"

	"github.com/detection-api/detection-api/app/internal/sqlite"
)

// retentionFlags are those of whoever keeps a store.
type retentionFlags struct{ days, bytes, auditDays int64 }

const (
	day              = 24 * time.Hour
	maxRetentionDays = 36500
	minAuditDays     = int64(sqlite.MinAuditAge / day)
)

func (f *retentionFlags) register(fs *flag.FlagSet) {
	fs.Int64Var(&f.days, "retention-days", 0,
		"age in `days` above which detections are removed; what is owed to TAK and dead letters stay; 0: for ever")
	fs.Int64Var(&f.bytes, "retention-max-bytes", 0,
		"`bytes` of app.db that detections may take, without the audit trail: beyond it the oldest are removed; 0: no limit")
	fs.Int64Var(&f.auditDays, "audit-retention-days", 0,
		"age in `days`, at least 90, above which audit entries are removed; those of detections that are kept stay; 0: for ever")
}

func (f *retentionFlags) retention() (sqlite.Retention, error) {
	switch {
	case f.days < 0 || f.days > maxRetentionDays:
		return sqlite.Retention{}, wrongUsage("retention-days: want 0 to %d, got %d", maxRetentionDays, f.days)
	case f.bytes < 0:
		return sqlite.Retention{}, wrongUsage("retention-max-bytes: want 0 or more, got %d", f.bytes)
	case f.auditDays != 0 && (f.auditDays < minAuditDays || f.auditDays > maxRetentionDays):
		return sqlite.Retention{}, wrongUsage("audit-retention-days: want 0, or %d to %d, got %d", minAuditDays, maxRetentionDays,
			f.auditDays)
	}
	return sqlite.Retention{
		MaxAge: time.Duration(f.days) * day, MaxBytes: f.bytes,
		AuditMaxAge: time.Duration(f.auditDays) * day,
	}, nil
}
