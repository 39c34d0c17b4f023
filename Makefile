# detection-api. `make help` lists the targets; the work is done by Go programs and go test.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := $(CURDIR)/build/bin
# Every module is built by itself, as it ships: the workspace would mix their dependencies.
export GOWORK := off
export PATH := $(BIN):$(PATH)
# The service is tested with the flags it ships with, which also spares compiling SQLite twice.
APP_FLAGS := -trimpath -buildvcs=false -tags=netgo,osusergo,sqlite_omit_load_extension
# Debian packages: a C compiler for SQLite, xmllint for the CoT schema, and what real nodes need.
CHECK_PACKAGES := gcc libc6-dev ca-certificates git libxml2-utils
CLUSTER_PACKAGES := runc iptables ipset nftables conntrack iproute2 util-linux openssl curl
CLUSTER_NAME ?= detection-api
# The tag of the image, and what the service in it says it is.
VERSION ?= dev

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: deps ## cluster, image, chart, TAK test server, sample detections: everything runs
	@cd tests && CGO_ENABLED=0 go run ./cmd/up -name $(CLUSTER_NAME)

.PHONY: down
down: ## remove what `make up` made
	@cd tests && CGO_ENABLED=0 go run ./cmd/up -down -name $(CLUSTER_NAME)

.PHONY: test
test: check control deps ## everything: unit, render, control plane, cluster
	@echo '== cluster'
	@cd tests && CGO_ENABLED=0 go test -v -count=1 -p 1 -timeout 80m . ./cluster/local

.PHONY: check
check: check-deps tools ## the fast part, without a cluster
	@echo '== format and vet'
	@unformatted=$$(gofmt -l app tests); [ -z "$$unformatted" ] || { echo "not formatted by gofmt: $$unformatted" >&2; exit 1; }
	@cd app && go vet $(APP_FLAGS) ./...
	@cd app/bench && go vet $(APP_FLAGS),measure ./...
	@cd tests && CGO_ENABLED=0 go vet ./...
	@echo '== unit: app'
	@cd app && go test $(APP_FLAGS) -timeout 40m ./...
	@cd app/bench && go test $(APP_FLAGS),measure -timeout 40m ./...
	@# Once more without the cache, which does not see that it reads docs/metrics.md.
	@cd app && go test $(APP_FLAGS) -count=1 -run TestMetricsAreDocumented ./internal/server
	@echo '== chart: lint and generated files'
	@for helm in helm helm4; do for values in values.yaml values-dev.yaml values-prod.yaml values-platform.yaml; do \
	  $$helm lint --strict --quiet charts/detection-api -f charts/detection-api/$$values; done; done
	@cd tests && CGO_ENABLED=0 go run ./cmd/chartdocs -check ../charts/detection-api
	@cd tests && CGO_ENABLED=0 go run ./cmd/images -check ../charts/detection-api
	@echo '== unit and render: tests'
	@# ExampleStart starts a control plane, which `make control` does. ./render knows that this skips none of its own.
	@cd tests && CGO_ENABLED=0 go test -short -count=1 -timeout 40m -skip '^ExampleStart$$' ./...

.PHONY: control
control: check-deps tools ## the chart on a real control plane whose nodes and pods are played: no root, no Docker
	@echo '== control plane'
	@cd tests && CGO_ENABLED=0 go test -count=1 -p 1 -parallel 6 -timeout 60m ./controlplane ./crds ./lane2

.PHONY: fuzz
fuzz: check-deps tools ## other values documents than `make check` draws, each time: 2000 rendered, 500 sent to an API server
	@cd tests && seed=$$RANDOM && echo "== fuzz with -rapid.seed=$$seed" && \
	  CGO_ENABLED=0 go test -count=1 -timeout 60m ./render -run '^TestFuzz$$' -fuzz.cases 2000 -rapid.seed $$seed && \
	  CGO_ENABLED=0 go test -count=1 -timeout 60m ./lane2 -run '^TestFuzzAdmission$$' -fuzz.cases 500 -rapid.seed $$seed

.PHONY: race
race: check-deps ## the unit tests of the service under the race detector
	@cd app && go test -race ./...

.PHONY: bench
bench: check-deps ## measure beside peers, into docs/benchmarks.md (a quarter of an hour); QUICK=1 only shows that all works
	@cd app/bench && go run $(APP_FLAGS),measure . \
	  $(if $(QUICK),-quick,-out ../../docs/benchmarks -document ../../docs/benchmarks.md) $(if $(ONLY),-only '$(ONLY)')

.PHONY: torture
torture: check-deps ## every endurance test at length, 65 minutes in all: docs/torture.md; MINUTES=3, ONLY=Kill, SEED=1 change that
	@cd app && CGO_ENABLED=1 go run $(APP_FLAGS) ./internal/torture/cmd \
	  -minutes $(or $(MINUTES),65) $(if $(ONLY),-only '$(ONLY)') $(if $(SEED),-seed $(SEED)) -- $(APP_FLAGS)

.PHONY: mutation
mutation: tools ## mistakes in the chart's templates that tests/render should notice: docs/mutation.md; N=100 tries so many
	@cd tests && CGO_ENABLED=0 go run ./cmd/mutate -n $(or $(N),0)

.PHONY: image
image: check-deps ## build/images/detection-api-$(VERSION).tar: an archive for docker load, kind load, ctr import
	@cd tests && CGO_ENABLED=0 go run ./cmd/image -version $(VERSION)

.PHONY: verify
verify: tools ## regenerate what is generated and fail when that changes a file
	@cd tests && CGO_ENABLED=0 go run ./cmd/chartdocs ../charts/detection-api
	@cd tests && CGO_ENABLED=0 go run ./cmd/images -write ../charts/detection-api
	@cd app && go mod tidy -diff && cd bench && go mod tidy -diff && cd ../../tests && go mod tidy -diff
	@git diff --exit-code -- charts

.PHONY: lint
lint: ## golangci-lint with .golangci.yml
	@cd app && go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.9.0 run ./...
	@cd tests && CGO_ENABLED=0 go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.9.0 run ./...

.PHONY: clean
clean: ## remove what was built here (the cache of cluster programs stays in the user's cache directory)
	@rm -rf build

# Only the provider `local` needs the packages. Who is not root cannot use it, so with Docker it is kind.
.PHONY: deps
deps: check-deps tools
	@case "$${CLUSTER:-}" in \
	  existing|kind) exit ;; \
	  '') [ -z "$${KUBECONFIG:-}" ] || exit 0; [ "$$(id -u)" -eq 0 ] || ! docker info >/dev/null 2>&1 || exit 0 ;; \
	esac; ci/install-deps $(CLUSTER_PACKAGES)

.PHONY: check-deps
check-deps:
	@ci/install-deps $(CHECK_PACKAGES)

# helm, helm4, kubectl and kube-score at the versions that their modules name, promtool from Debian.
.PHONY: tools
tools:
	@ci/fetch-promtool
	@[ -x $(BIN)/helm ] || echo 'building helm, kubectl and kube-score from their Go modules; the first time this takes some minutes'
	@cd tests && CGO_ENABLED=0 go run ./cmd/tools
