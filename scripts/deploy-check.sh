#!/bin/sh
# Holds what is deployed to the tools that will read it: the chart to Helm's lint and
# Kubernetes' schemas, for every profile, and the alert rules to promtool.
set -eu
cd "$(dirname "$0")/../deploy"
(cd check && go vet ./... && go test ./...)
cd helm/gvp-mcp/files
promtool check rules alerts.yaml
promtool test rules alerts_test.yaml
