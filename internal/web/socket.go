package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// maxSocketPath is the longest path, in bytes, that a socket is put at. The
// kernels take 107 (Linux) and 103 (macOS, the BSDs).
const maxSocketPath = 100

// SocketPath is where the daemon that holds the store at path listens, and
// where Dial looks for it: path + ".sock", absolute and with links resolved,
// so that both find the same one. A path too long for a socket gives a short
// one in a folder of the user's own under os.TempDir instead; the daemon and
// whoever asks must then be the same user with the same TMPDIR.
func SocketPath(path string) string {
	path = resolve(path)
	if beside := path + ".sock"; len(beside) <= maxSocketPath {
		return beside
	}
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(privateDir(), hex.EncodeToString(sum[:8])+".sock")
}

// resolve makes path absolute and follows links as far as it exists.
func resolve(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if found, err := filepath.EvalSymlinks(path); err == nil {
		return found
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

func privateDir() string {
	return filepath.Join(os.TempDir(), "deltahook-"+strconv.Itoa(os.Getuid()))
}

// guardDir checks that a socket in the folder for long paths is really this
// user's: the folder's parent is one that everybody may write to.
func guardDir(socket string) error {
	dir := filepath.Dir(socket)
	if dir != privateDir() {
		return nil
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Getuid() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("folder %s: it must be a folder of this user's own with mode 0700; remove it or set TMPDIR", dir)
	}
	return nil
}

// guardOwner checks that what answers on a socket is this user's or root's:
// anybody may put a socket into a folder that is theirs.
func guardOwner(socket string) error {
	info, err := os.Lstat(socket)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("its owner is not known")
	}
	if uid := int(stat.Uid); uid != os.Getuid() && uid != 0 {
		owner := "uid " + strconv.Itoa(uid)
		if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
			owner = u.Username + " (" + owner + ")"
		}
		return fmt.Errorf("it belongs to %s; run this command as that user", owner)
	}
	return nil
}

// listenSocket listens at path for this user alone, and takes the place of a
// socket that a killed daemon left there.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	if filepath.Dir(path) == privateDir() {
		if err := os.Mkdir(privateDir(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("socket folder: %w", err)
		}
	}
	if err := guardDir(path); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	l, err := bind(ctx, path)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err := removeStale(ctx, path); err != nil {
			return nil, fmt.Errorf("socket %s: %w", path, err)
		}
		l, err = bind(ctx, path)
	}
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return l, nil
}

// bind makes the socket with mode 0600 from its first moment where the kernel
// takes the mode of the descriptor (Linux does), and right after elsewhere.
func bind(ctx context.Context, path string) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
	}}
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeStale removes a socket on which nobody answers, and nothing else.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("something that is not a socket is there; move it away")
	}
	c, err := dialSocket(ctx, path)
	if err == nil {
		_ = c.Close()
		return errors.New("another deltahook answers there")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Second}
	return d.DialContext(ctx, "unix", path)
}
