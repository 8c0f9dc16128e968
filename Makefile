# What people type; .ci/run is all of it and more.

.PHONY: test lint bench e2e ci

test:
	go test -race -shuffle=on ./...

lint:
	.ci/lint

bench:
	go -C bench test -run '^$$' -bench . -benchtime 0.4s -count 6 -timeout 2h . | go -C bench run ./table

e2e:
	go -C examples test -race -shuffle=on ./...
	go -C idempotency test -race -shuffle=on ./...
	go -C otelwhozex test -race -shuffle=on ./...
	go -C redisguard test -race -shuffle=on ./...
	go -C e2e test -race -shuffle=on ./...

ci:
	.ci/run
