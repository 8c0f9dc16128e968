package whozextest

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/whozex/whozex-go"
)

func TestRename(t *testing.T) {
	s := start(t, WithUsers(1))
	s.Rename(whozex.OpListUsers, map[string]string{"users": "accounts", "email": "mail", "has_prev": ""})
	got := ok(t, s, "GET", "/users", "")
	assert.Contains(t, got.data("accounts"), `"mail":"user1@example.com"`)
	assert.NotContains(t, got.raw, "has_prev")
	assert.NotContains(t, got.raw, `"email"`)
	assert.Contains(t, ok(t, s, "GET", "/account", "").raw, `"email"`, "another operation")
	s.Rename(whozex.OpListUsers, nil)
	assert.Contains(t, ok(t, s, "GET", "/users", "").raw, `"email"`)
}
