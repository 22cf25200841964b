package zone

import "testing"

func TestWindowsZonesAreThere(t *testing.T) {
	if len(windows) < 130 {
		t.Errorf("only %d Windows zones", len(windows))
	}
	for name := range windows {
		if _, err := Load(name); err != nil {
			t.Error(err)
		}
	}
}
