// Package egress guards whom this process may reach.
package egress
