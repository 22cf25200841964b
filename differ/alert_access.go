package differ

import "github.com/deltahook/deltahook/poller"

// AccessIs takes in whether a refresh token is still good. It does not wait
// for the disk.
func (d *Differ) AccessIs(a poller.Access) {
	unit := ofAuth + a.Auth
	if a.Auth == "" {
		if len(a.Sources) == 0 {
			return
		}
		unit = ofSource + a.Sources[0] + authOf
	}
	d.alerting.mu.Lock()
	was, known := d.alerting.access[unit]
	d.alerting.access[unit] = a
	d.alerting.mu.Unlock()
	if !known || was.Expired != a.Expired {
		d.clock.set(task{unit: unit}, d.now().UnixMilli(), true)
	}
}

// accessData is what auth.expired says.
type accessData struct {
	Auth    string   `json:"auth,omitempty"` // name in auth; none: they stand in the source's request
	Sources []string `json:"sources"`        // that use it, at most 10
	Setting string   `json:"setting"`        // where the new refresh token goes
	Advice  string   `json:"advice"`
}

// accessAdvice is what a person must do.
const accessAdvice = "allow access again, put the new refresh token into the setting, and start again"

// accessSources is how many sources an event names.
const accessSources = 10

// judgeAccess says whether the access of credentials has expired. That it has
// no more is not told.
func (d *Differ) judgeAccess(unit string) verdict {
	a, known := d.alerting.access[unit]
	if !known {
		return verdict{}
	}
	if !a.Expired {
		return verdict{over: true}
	}
	data := accessData{a.Auth, a.Sources[:min(len(a.Sources), accessSources)], a.Setting, accessAdvice}
	return verdict{to: d.alerts, wrong: []wrong{{TypeAuthExpired, d.now(), data}}}
}
