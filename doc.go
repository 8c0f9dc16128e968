// Package whozex is a client for the Whozex Reseller API.
package whozex
