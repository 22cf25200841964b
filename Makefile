# `make run` and `make test` set up what they need and work in an empty clone
# on a machine with Go, make and git. `make help` lists the rest.

GO       ?= go
PKGS     ?= ./...
ARGS     ?=
FUZZTIME ?= 1m
BENCH    ?= -benchmem
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
BIN      := $(CURDIR)/bin

GOLANGCI_VERSION    := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
GOLANGCI    := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)
GOVULNCHECK := $(BIN)/govulncheck-$(GOVULNCHECK_VERSION)

# The race detector needs a C compiler; go env says whether there is one.
RACE := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)
# What builds images here, unless said otherwise.
ENGINE ?= $(firstword $(foreach e,docker podman buildah,$(if $(shell command -v $(e)),$(e))))

.DEFAULT_GOAL := help
.PHONY: help run build test check fmt lint vet tidy vuln bench fuzz screenshots container clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build, then the demo: parcels move, webhooks arrive (ARGS="--for 20s" ends it)
	$(BIN)/deltahook demo $(ARGS)

build: ## the static binary, bin/deltahook
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/deltahook ./cmd/deltahook

test: test/npm/node_modules/.package-lock.json ## every test, shuffled, with the race detector (PKGS=./poller: one package)
ifeq ($(RACE),)
	@echo "test: no C compiler here, so the race detector is left out (install gcc to have it)"
endif
	@for tool in buildah podman runc; do command -v $$tool >/dev/null || \
		echo "test: no $$tool here, so the container image is not tested"; done
	@command -v promtool >/dev/null || echo "test: no promtool here, so the alert rules are not played"
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
		echo "test: no chromium here, so the pages are not seen in a browser"
	$(GO) test $(RACE) -shuffle=on -timeout 20m $(PKGS)
ifeq ($(PKGS),./...)
	cd test/cloudevents && $(GO) test -mod=mod $(RACE) -shuffle=on ./...
	cd test/openapi && $(GO) generate ./... && $(GO) test ./...
	cd test/browser && $(GO) test -shuffle=on ./...
endif

# The official JavaScript library, which signatures are verified with. Without
# npm the tests that need it say that they were skipped.
test/npm/node_modules/.package-lock.json: test/npm/package-lock.json
	@if command -v npm >/dev/null && command -v node >/dev/null; then \
		cd test/npm && npm ci --ignore-scripts --no-audit --no-fund; \
	else \
		echo "test: no npm here, so signatures are not verified with the npm library (install nodejs and npm to have it)"; \
	fi

check: fmt vet lint tidy vuln ## format, vet, linters, go.mod, known vulnerabilities

fmt: $(GOLANGCI)
	$(GOLANGCI) fmt --diff

vet:
	$(GO) vet $(PKGS)
	cd test/browser && $(GO) vet ./...

lint: $(GOLANGCI)
	$(GOLANGCI) run $(PKGS)
	cd test/browser && $(GOLANGCI) run ./...

tidy:
	$(GO) mod tidy -diff
	cd test/browser && $(GO) mod tidy -diff

# The database of vulnerabilities is on the network. Where it cannot be
# reached, that is said and is no failure; what it finds is (status 3).
vuln: $(GOVULNCHECK)
	@out=$$($(GOVULNCHECK) $(PKGS) 2>&1); status=$$?; \
	case $$status in \
	0) echo "govulncheck: nothing known against what is used" ;; \
	3) echo "$$out"; exit 1 ;; \
	*) if echo "$$out" | grep -qiE 'dial tcp|no such host|connection refused|i/o timeout|deadline exceeded|fetching vulnerabilities|unexpected status'; then \
		echo "govulncheck: SKIPPED, its database cannot be reached from here"; \
	   else echo "$$out"; exit 1; fi ;; \
	esac

$(GOLANGCI):
	GOBIN=$(BIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(BIN)/golangci-lint $@

$(GOVULNCHECK):
	GOBIN=$(BIN) $(GO) install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@mv $(BIN)/govulncheck $@

bench: ## every benchmark, with allocations (BENCH="-short -benchtime 1x": each once)
	$(GO) test -run '^$$' -bench . $(BENCH) $(PKGS)

fuzz: ## each fuzz target for FUZZTIME (1m)
	@for pkg in $$($(GO) list $(PKGS)); do \
		listed=$$($(GO) test -list '^Fuzz' $$pkg) || { echo "$$listed"; exit 1; }; \
		for target in $$(echo "$$listed" | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg || exit 1; \
		done; \
	done

screenshots: ## each page as a picture, light, dark and at 400 pixels, in dist/screenshots; three go into the README
	cd test/browser && DELTAHOOK_REQUIRE_BROWSER=1 DELTAHOOK_SCREENSHOTS=$(CURDIR)/dist/screenshots $(GO) test -count=1 -run '^TestScreenshots$$' ./...
	cp $(addprefix dist/screenshots/,overview-light.png item-dark.png source-held-400.png) docs/screenshots/

container: ## the image deltahook:VERSION, by docker, podman or buildah (ENGINE=podman)
	@test -n "$(ENGINE)" || { echo "container: neither docker, podman nor buildah is here"; exit 1; }
	$(ENGINE) build $(if $(filter docker,$(ENGINE)),,--format docker) --build-arg VERSION=$(VERSION) -t deltahook:$(VERSION) .

clean: ## remove what was built and installed here
	rm -rf $(BIN) dist test/npm/node_modules
