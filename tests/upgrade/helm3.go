package upgrade

import (
	"context"
	"fmt"

	"helm.sh/helm/v3/pkg/action"
)

type client3 struct {
	config             *action.Configuration
	namespace, release string
}

func connect3(getter access, release string) (client, error) {
	config := &action.Configuration{}
	if err := config.Init(getter, getter.namespace, "secret", func(string, ...any) {}); err != nil {
		return nil, fmt.Errorf("connect Helm 3: %w", err)
	}
	return client3{config: config, namespace: getter.namespace, release: release}, nil
}

func (c client3) install(ctx context.Context, chart *Chart, values map[string]any) error {
	install := action.NewInstall(c.config)
	install.ReleaseName, install.Namespace, install.Timeout = c.release, c.namespace, hookTimeout
	_, err := install.RunWithContext(ctx, chart.helm3, values)
	return err
}

func (c client3) upgrade(ctx context.Context, chart *Chart, values map[string]any) error {
	upgrade := action.NewUpgrade(c.config)
	upgrade.Namespace, upgrade.Timeout, upgrade.ResetThenReuseValues = c.namespace, hookTimeout, true
	_, err := upgrade.RunWithContext(ctx, c.release, chart.helm3, values)
	return err
}

func (c client3) rollback(revision int) error {
	rollback := action.NewRollback(c.config)
	rollback.Version, rollback.Timeout = revision, hookTimeout
	return rollback.Run(c.release)
}

func (c client3) uninstall() error {
	uninstall := action.NewUninstall(c.config)
	uninstall.Timeout = hookTimeout
	_, err := uninstall.Run(c.release)
	return err
}

func (c client3) deployed() (int, string, error) {
	release, err := action.NewGet(c.config).Run(c.release)
	if err != nil {
		return 0, "", err
	}
	return release.Version, release.Manifest, nil
}
