package server

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

// copier lets backup jobs copy the store.
func copier(store *sqlite.Store, version string) func(context.Context) (*storeapi.Copy, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return func(ctx context.Context) (*storeapi.Copy, error) {
		c, err := store.Copy(ctx)
		if err != nil {
			return nil, fmt.Errorf("copy the store: %w", err)
		}
		return &storeapi.Copy{ReadCloser: c, Bytes: c.Bytes, TakenAt: c.TakenAt, Took: c.Took, Host: host, Version: version}, nil
	}
}

// registerBackup shows what the backup jobs told. It is read at each scrape, so it is right after a restart as well.
func registerBackup(reg prometheus.Registerer, memory *backup.Memory) {
	for name, metric := range map[string]struct {
		help  string
		value func(storeapi.Backup) float64
	}{
		"backup_last_verified_timestamp_seconds": {
			"When the newest verified backup was taken (Unix time); 0 when there is none.",
			func(b storeapi.Backup) float64 { return float64(b.TakenAt.UnixMilli()) / 1000 },
		},
		"backup_copy_seconds": {
			"How long the store took to make the copy of the newest verified backup.",
			func(b storeapi.Backup) float64 { return (time.Duration(b.CopyMS) * time.Millisecond).Seconds() },
		},
		"backup_bytes": {
			"Size of the newest verified backup.",
			func(b storeapi.Backup) float64 { return float64(b.Bytes) },
		},
	} {
		promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: metric.help}, func() float64 {
			b, ok := memory.Newest()
			if !ok {
				return 0
			}
			return metric.value(b)
		})
	}
}
