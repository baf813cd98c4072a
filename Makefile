# Everything here works on a fresh machine with Go and make: the targets install the PostgreSQL that the demo and the
# tests run, where it is missing.

BENCHTIME ?= 1x
PEOPLE    ?= 20000
ROUNDS    ?= 3
FUZZTIME  ?= 20s
KILLS     ?= 60
LOAD      ?= 2m
LOADS     ?= 5
PACKAGES  ?= ./...
PACKAGE   ?= ./engine/transform
SEED      ?= 1

# Modules of their own, so that nobody gets the SDK, the parser or the browser's driver with the library.
SDKTEST := engine/httpapi/sdktest
BROWSERTEST := engine/console/browsertest
SHAPETEST := store/shapetest

# The published API's own documents, which are no part of this project. Tests compare with them where they exist.
export MUSTER_CONTRACT_DIR := $(abspath $(or $(MUSTER_CONTRACT_DIR),$(wildcard ../shared/contract)))

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: postgres ## Show the engine at work on a sample company
	@go run ./cmd/muster demo

.PHONY: test
test: postgres ## Run the tests, without those that take long
	@go test -short -parallel 4 -timeout 20m $(PACKAGES)

.PHONY: test-all
test-all: postgres ## Run the tests, with those that take long
	@go test -timeout 30m $(PACKAGES)

.PHONY: check
check: fmt-check vet cross lint tidy-check test test-bench race $(if $(MUSTER_CONTRACT_DIR),contract) ## Run what CI runs, without containers, fuzzing and benchmarks

.PHONY: build
build: ## Build bin/muster
	@go build -trimpath -o bin/muster ./cmd/muster

.PHONY: image
image: ## Build the image muster:latest, with a Docker daemon
	@.ci/image

.PHONY: release-snapshot
release-snapshot: ## Make in dist/ what a release has, without publishing it
	@.ci/release

.PHONY: postgres
postgres: ## Install PostgreSQL where it is missing
	@go run ./store/pglocal/internal/locate >/dev/null 2>&1 || .ci/postgres

.PHONY: fmt
fmt: ## Format the code
	@gofmt -w .

.PHONY: fmt-check
fmt-check: ## Fail where the code is not formatted
	@files=$$(gofmt -l .) && test -z "$$files" || { printf 'not formatted, run make fmt:\n%s\n' "$$files"; exit 1; }

.PHONY: vet
vet: ## Run go vet
	@go vet ./...
	@cd $(SDKTEST) && go vet ./...
	@cd $(SHAPETEST) && go vet ./...
	@cd $(BROWSERTEST) && go vet ./...
	@cd engine/bench && go vet ./... && go vet -tags statistics ./...

.PHONY: cross
cross: ## Fail where the code does not build for other systems
	@GOOS=darwin go vet ./store/pglocal
	@GOOS=windows go build -o /dev/null ./cmd/muster

.PHONY: lint
lint: ## Run the pinned version of golangci-lint
	@.ci/lint

.PHONY: licenses
licenses: ## Fail where a licence is not compatible with ours, or docs/licenses.csv differs
	@.ci/licenses

.PHONY: vuln
vuln: ## Look for known vulnerabilities, if their database can be reached
	@.ci/vuln

.PHONY: tidy
tidy: ## Tidy every go.mod, those of the SDK tests, the shapes and the benchmark suite too
	@go mod tidy
	@cd $(SDKTEST) && go mod tidy
	@cd $(SHAPETEST) && go mod tidy
	@cd $(BROWSERTEST) && go mod tidy
	@cd engine/bench && go mod tidy

.PHONY: tidy-check
tidy-check: ## Fail where a go.mod is not tidy
	@go mod tidy -diff
	@cd $(SDKTEST) && go mod tidy -diff
	@cd $(SHAPETEST) && go mod tidy -diff
	@cd $(BROWSERTEST) && go mod tidy -diff
	@cd engine/bench && go mod tidy -diff

.PHONY: race
race: postgres ## Run the tests under the race detector, which needs a C compiler
	@command -v "$$(go env CC)" >/dev/null || { echo "the race detector needs $$(go env CC), a C compiler"; exit 1; }
	@CGO_ENABLED=1 go test -race -timeout 30m $(PACKAGES)

.PHONY: test-ldap
test-ldap: ## Run the tests of the LDAP connector against OpenLDAP; install it where it is missing
	@.ci/slapd
	@CGO_ENABLED=1 go test -race -tags ldap ./engine/connector/ldap

.PHONY: test-ad
test-ad: ## Run the tests of the LDAP connector against Samba's Active Directory; install it where it is missing; as root
	@.ci/samba go test -count=1 -tags ad -run TestAD ./engine/connector/ldap

.PHONY: docs
docs: ## Write docs/configuration.md again from the tables of members
	@go test ./engine/configuration -run TestReference -update

.PHONY: test-sdk
test-sdk: postgres ## Run the tests of the HTTP API with the vendor's Go SDK as the client
	@cd $(SDKTEST) && go test -count=1 ./...

.PHONY: test-client
test-client: postgres ## Run the tests of the HTTP API with the vendor's TypeScript client; install it, and Node.js where it is missing
	@.ci/client

.PHONY: test-browser
test-browser: postgres ## Run the tests of the console in Chromium, with axe-core on every page; install them where they are missing
	@.ci/smtpd
	@cd $(BROWSERTEST) && ../../../.ci/chromium go test -count=1 -timeout 20m ./...

.PHONY: test-load
test-load: postgres ## Bound what each statement of a load, a run and an event touches, whenever statistics are taken
	@go test -count=1 -run TestPlansOfFirstLoad ./engine
	@cd engine/bench && go test -tags statistics -count=1 -timeout 30m -run TestStatementsTakeTheirShare .

.PHONY: test-shapes
test-shapes: postgres ## Hold the statements that the tests send against the shapes that a Citus cluster takes
	@.ci/shapes

.PHONY: test-smtp
test-smtp: postgres ## Run the tests of mail against the server Exim; install it where it is missing
	@.ci/smtpd
	@CGO_ENABLED=1 go test -race -tags smtp ./engine/notify

# These look at what a pooler has for itself: prepared statements, roles that it does not know, settings of a database
# and statistics that a connection of the server reports when it ends.
NOT_POOLED := TestPagesAreOneStatement|TestRunTimeRole|TestDoctorLooksAtSettings|TestProcessingTwiceWritesNothing

.PHONY: test-pgbouncer
test-pgbouncer: postgres ## Run the tests of the engine through PgBouncer, those of jobs in session mode too; install it where it is missing
	@.ci/pgbouncer
	@MUSTER_TEST_POOLER=transaction go test -count=1 -short -skip '$(NOT_POOLED)' ./store ./engine ./engine/console
	@MUSTER_TEST_POOLER=session go test -count=1 -short -run 'Job|Task|Aggregate|Engines|Events' ./engine

.PHONY: test-observe
test-observe: postgres ## Ask every query of the dashboard and the alerts of a Prometheus that scrapes a server and a worker; install it where it is missing
	@.ci/prometheus
	@go test -tags observe -count=1 -run TestDashboardHasData ./cmd/muster

.PHONY: test-containers
test-containers: ## Run the tests, without those that take long, against PostgreSQL in containers
	@.ci/containers -short -parallel 4 $(PACKAGES)

.PHONY: crash
crash: postgres ## Kill and pause workers and PostgreSQL KILLS times (60) at random moments of SEED (1), and check that nothing is lost
	@.ci/slapd
	@KILLS=$(KILLS) SEED=$(SEED) go test -tags crash -count=1 -timeout 0 -v ./engine/crashtest

.PHONY: test-disk
test-disk: postgres ## Fill the disk of PostgreSQL, and check that nothing is lost; as root on Linux
	@go test -tags disk -count=1 -v ./engine/disktest

.PHONY: fuzz
fuzz: postgres ## Fuzz each target for FUZZTIME (20s)
	@.ci/fuzz $(FUZZTIME)

.PHONY: mutate
mutate: ## Change the code of PACKAGE (./engine/transform) in small ways, and list the changes that its tests do not notice
	@go run github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0 unleash --workers 1 --timeout-coefficient 10 \
		--threshold-efficacy 90 $(PACKAGE)

.PHONY: test-bench
test-bench: postgres ## Run the tests of the benchmark suite, which is a module of its own
	@cd engine/bench && go test ./...

# The arguments of the benchmark suite: some CASES, the sizes of GROWTH one after another, a folder for each PROFILE.
bench_suite = cd engine/bench && go run . -people $(PEOPLE) -rounds $(ROUNDS) -cases '$(CASES)' \
	$(if $(GROWTH),-growth '$(GROWTH)' -csv '$(abspath $(or $(CSV),growth.csv))') \
	$(if $(PROFILE),-profile '$(abspath $(PROFILE))')

.PHONY: bench
bench: postgres ## Compare PEOPLE (20000) people with what PostgreSQL and the machine can do, in some CASES=regexp
	@$(bench_suite)

.PHONY: bench-json
bench-json: postgres ## Run make bench, and write the table as JSON to OUT (bench.json)
	@$(bench_suite) -json '$(abspath $(or $(OUT),bench.json))'

.PHONY: load-times
load-times: postgres ## Load PEOPLE (20000) people LOADS (5) times with autovacuum as it comes, every second and off; compare the times
	@cd engine/bench && go run . -people $(PEOPLE) -rounds $(LOADS) -cases load-times

.PHONY: bench-go
bench-go: postgres ## Run each Go benchmark for BENCHTIME (1x: one iteration)
	@go test -run '^$$' -bench . -benchtime $(BENCHTIME) -benchmem $(PACKAGES)

.PHONY: load
load: postgres ## Load the HTTP API for LOAD (2m), while everybody is processed over and over
	@go test -tags load -count 1 -timeout 0 -v ./engine/httpapi/loadtest -load $(LOAD)

.PHONY: contract
contract: postgres ## Run the tests against the published API's own documents, which must exist
	@test -n "$(MUSTER_CONTRACT_DIR)" || { echo "MUSTER_CONTRACT_DIR is not set, and ../shared/contract is not there"; exit 1; }
	@.ci/contract

.PHONY: clean
clean: ## Remove the built files
	@rm -rf bin dist
