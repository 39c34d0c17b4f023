package upgrade

import (
	"context"
	"fmt"
	"log/slog"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release"
)

type client4 struct {
	config             *action.Configuration
	namespace, release string
}

func connect4(getter access, release string) (client, error) {
	config := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	if err := config.Init(getter, getter.namespace, "secret"); err != nil {
		return nil, fmt.Errorf("connect Helm 4: %w", err)
	}
	return client4{config: config, namespace: getter.namespace, release: release}, nil
}

func (c client4) install(ctx context.Context, chart *Chart, values map[string]any) error {
	install := action.NewInstall(c.config)
	install.ReleaseName, install.Namespace, install.Timeout = c.release, c.namespace, hookTimeout
	install.WaitStrategy = kube.HookOnlyStrategy
	_, err := install.RunWithContext(ctx, chart.helm4, values)
	return err
}

func (c client4) upgrade(ctx context.Context, chart *Chart, values map[string]any) error {
	upgrade := action.NewUpgrade(c.config)
	upgrade.Namespace, upgrade.Timeout, upgrade.ResetThenReuseValues = c.namespace, hookTimeout, true
	upgrade.WaitStrategy = kube.HookOnlyStrategy
	_, err := upgrade.RunWithContext(ctx, c.release, chart.helm4, values)
	return err
}

func (c client4) rollback(revision int) error {
	rollback := action.NewRollback(c.config)
	rollback.Version, rollback.Timeout, rollback.WaitStrategy = revision, hookTimeout, kube.HookOnlyStrategy
	return rollback.Run(c.release)
}

func (c client4) uninstall() error {
	uninstall := action.NewUninstall(c.config)
	uninstall.Timeout, uninstall.WaitStrategy = hookTimeout, kube.HookOnlyStrategy
	_, err := uninstall.Run(c.release)
	return err
}

func (c client4) deployed() (int, string, error) {
	found, err := action.NewGet(c.config).Run(c.release)
	if err != nil {
		return 0, "", err
	}
	known, err := release.NewAccessor(found)
	if err != nil {
		return 0, "", err
	}
	return known.Version(), known.Manifest(), nil
}
