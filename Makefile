# What a person or CI does with this tree. `make help` lists it.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION)
BUILD    := build
# The profile by which the compiler of the container image, and of what is measured, knows the
# functions that count; it takes minutes more. `make profile` makes it.
PROFILE  := deploy/mcp.pgo
PGO      ?= off
SHELL    := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help setup build demo demo-platform test test-quick test-codecs test-tagged race bench-media bench-mix bench-speech bench-vxml bench-reporting bench-sip bench-ports fuzz conformance model generate generate-check fmt-check deploy-check vet clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what build, demo and tests need (apt-get, idempotent)
	@scripts/setup.sh

build: ## build build/mcp and build/mcplab; TAGS='bcg729 amr' adds G.729 (libbcg729-dev, GPL) and AMR (libopencore-amrnb-dev) by cgo
	@mkdir -p $(BUILD)
	CGO_ENABLED=$(if $(TAGS),1,0) $(GO) build -trimpath -pgo $(PGO) -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o $(BUILD)/mcp ./cmd/mcp
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BUILD)/mcplab ./cmd/mcplab

demo: ## one whole call through three network namespaces, with a timeline
	@scripts/setup.sh demo
	@$(MAKE) --no-print-directory build
	@$(BUILD)/mcplab demo --platform $(BUILD)/mcp --out $(BUILD)/demo

demo-platform: ## every far end on one machine, and what each connection carries (needs root)
	@scripts/setup.sh demo test
	@$(MAKE) --no-print-directory build
	@$(BUILD)/mcplab tour --platform $(BUILD)/mcp --out $(BUILD)/tour

# Two packages at a time, whatever the machine has: tests that speak and listen wait in real time
# for most of it, and more of them at once would be late.
test: setup generate-check fmt-check vet deploy-check test-codecs ## every test, and what it proves of the connections (needs root)
	@set -o pipefail; $(GO) test -json -p 2 -timeout 20m ./... | $(GO) run ./cmd/mcplab connections

test-quick: ## tests that need neither root nor tools nor long: under a minute
	$(GO) test -short -timeout 5m ./...

test-codecs: ## tests of the codecs that are built in by tags (cgo; see build)
	CGO_ENABLED=1 $(GO) test -timeout 5m -tags 'bcg729 amr' ./control/media/codec/...

test-tagged: test-codecs ## the same, the paths that audio takes in them, and calls that speak them
	CGO_ENABLED=1 $(GO) test -timeout 5m -tags 'bcg729 amr' -run 'EveryPath|EveryPair' ./control/media
	CGO_ENABLED=1 $(GO) test -timeout 5m -tags 'bcg729 amr' -run Baresip ./control/call

race: ## every test under the race detector (needs gcc)
	CGO_ENABLED=1 $(GO) test -race -timeout 40m ./...

bench-media bench-sip bench-ports bench-vxml: PGO = $(PROFILE)

bench-media: build ## what media costs, beside null programs, sockets and rtpengine (needs root)
	@scripts/setup.sh bench
	@$(BUILD)/mcplab bench media --platform $(BUILD)/mcp --out $(BUILD)/bench

bench-mix: build ## what mixing, transcoding and recording cost, beside Janus (needs root)
	@scripts/setup.sh bench
	@$(BUILD)/mcplab bench mix --out $(BUILD)/bench

bench-sip: build ## calls a second, set-up time and what a call costs, beside a bare SIP callee
	@scripts/setup.sh test
	@$(BUILD)/mcplab bench sip --platform $(BUILD)/mcp --out $(BUILD)/bench

bench-speech: build ## what sessions with speech servers cost
	@$(BUILD)/mcplab bench speech --out $(BUILD)/bench

bench-vxml: build ## what the VoiceXML interpreter costs
	@$(BUILD)/mcp vxml bench --out $(BUILD)/bench

bench-ports: build ## how many callers a core serves who press keys (needs root)
	@scripts/setup.sh test
	@$(BUILD)/mcplab bench ports --platform $(BUILD)/mcp --out $(BUILD)/bench

bench-reporting: build ## what records cost: durable, at the end of a call, delivered to ActiveMQ
	@scripts/setup.sh reporting
	@$(BUILD)/mcplab bench reporting --out $(BUILD)/bench

.PHONY: profile
profile: build ## what calls take CPU time for, for the next builds to be compiled by (needs root)
	@scripts/setup.sh test
	@$(BUILD)/mcplab bench sip --rate 1200 --platform $(BUILD)/mcp --profiles $(BUILD)/profiles
	@$(BUILD)/mcplab bench ports --ports 1500 --platform $(BUILD)/mcp --out $(BUILD)/profiles --profiles $(BUILD)/profiles
	$(GO) tool pprof -proto $(BUILD)/profiles/*.cpu.pprof > $(PROFILE)

SUITES ?= ../shared/suites
conformance: build ## the W3C's VoiceXML and SRGS tests, by section
	@$(BUILD)/mcp vxml suite --out $(BUILD)/conformance.json $(wildcard $(SUITES)/*/manifest.json $(SUITES)/w3c-srgs/*.xml)

CALLS ?= 40
.PHONY: conformance-calls
conformance-calls: build ## CALLS of the W3C's VoiceXML tests on real calls: SIP, RTP, keys, speech
	CONFORMANCE_CALLS=$(CALLS) CONFORMANCE_OUT=$(CURDIR)/$(BUILD)/conformance-calls.json $(GO) test -count 1 -v -run ConformanceOnCalls -timeout 20m ./cmd/mcp/e2e

FUZZTIME ?= 30s
fuzz: ## run every fuzz target for FUZZTIME each
	@scripts/fuzz.sh $(FUZZTIME)

MODEL_PACKETS ?= 10000000
model: ## compare the relay with its model on ten million hostile packets (needs root)
	MODEL_PACKETS=$(MODEL_PACKETS) $(GO) test -count 1 -v -run ProgramAgreesWithModel -timeout 30m ./bpf

.PHONY: image-check
image-check: ## both container images, built and called (needs root; minutes)
	@scripts/image-check.sh

.PHONY: console-check
console-check: setup ## the console's pages in a headless browser
	$(GO) test -count 1 -v -run Browser -timeout 5m ./control/node/console

generate: ## rebuild the kernel objects and their Go types with clang
	$(GO) generate ./bpf/...

generate-check: ## the committed kernel objects match their sources
	@scripts/generate-check.sh

deploy-check: ## the chart, for every profile, and the alert rules
	@scripts/deploy-check.sh

fmt-check:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'gofmt would change:'; gofmt -l $$(git ls-files '*.go'); exit 1; }

vet:
	$(GO) vet ./...

clean: ## remove what was built
	rm -rf $(BUILD)
