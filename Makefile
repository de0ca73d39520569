# The two commands: `make demo` runs the main job, `make test` passes all tests. Both need Go alone.
GO       ?= go
FUZZTIME ?= 10s
SMALLER  ?= 10x
COUNT    ?= 6
BENCHTIME ?= 100ms
BIN      := .bin
MODULES  := . examples
NESTED   := validate/parquet validate/tags

.PHONY: demo resume test race fuzz bench api lint tools clean

demo: ## a real private training run under faults, changing carbon intensity and a budget
	@rm -rf examples/dpsgd/out
	cd examples && $(GO) run ./dpsgd -out dpsgd/out

resume: ## goes on with a demo that Ctrl-C ended
	cd examples && $(GO) run ./dpsgd -resume -out dpsgd/out

test: ## all tests
	$(GO) test ./... ./examples/...
	for m in $(NESTED); do (cd $$m && GOWORK=off $(GO) test ./...) || exit 1; done

race: ## all tests under the race detector (needs a C compiler)
	$(GO) test -race ./... ./examples/...

fuzz: ## every fuzz target for FUZZTIME
	GO="$(GO)" ./.ci/fuzz $(FUZZTIME) $(SMALLER)

bench: ## the table with peers: ours, other libraries and hand-written code in one run
	@mkdir -p $(BIN)
	GOWORK=off $(GO) -C tools build -o ../$(BIN)/ golang.org/x/perf/cmd/benchstat
	cd bench && GOWORK=off $(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) -cpu 1,4 -count $(COUNT) ./... | tee ../$(BIN)/bench.txt
	$(BIN)/benchstat $(BIN)/bench.txt

api: tools ## list the exported API anew
	$(BIN)/apilist -dir api ./...

lint: tools ## format, vet, staticcheck, API listing
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "not gofmt-clean"; exit 1; }
	for m in $(MODULES); do (cd $$m && $(GO) vet ./... && $(CURDIR)/$(BIN)/staticcheck ./...) || exit 1; done
	for m in bench tools $(NESTED); do (cd $$m && GOWORK=off $(GO) vet ./... && GOWORK=off $(CURDIR)/$(BIN)/staticcheck ./...) || exit 1; done
	$(BIN)/apilist -dir api -check ./...

tools:
	@mkdir -p $(BIN)
	GOWORK=off $(GO) -C tools build -o ../$(BIN)/ ./apilist honnef.co/go/tools/cmd/staticcheck golang.org/x/perf/cmd/benchstat

clean:
	rm -rf $(BIN) examples/dpsgd/out
