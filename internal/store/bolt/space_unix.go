//go:build linux || darwin || freebsd

package bolt

import "syscall"

// freeSpace is how many bytes this user may still write in a folder.
func freeSpace(dir string) (bytes int64, known bool, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false, err
	}
	return int64(s.Bavail) * int64(s.Bsize), true, nil //nolint:unconvert // they are of other types on other systems
}
