package wire

import "context"

// Context is [context.WithValue] as a field of the value, which saves an allocation.
type Context struct {
	context.Context
	Key, Held any
}

// Value implements [context.Context].
func (c *Context) Value(key any) any {
	if key == c.Key {
		return c.Held
	}
	return c.Context.Value(key)
}
