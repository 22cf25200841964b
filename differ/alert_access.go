package differ

import "slices"

// Access is whether the refresh token of credentials is still taken.
type Access struct {
	Auth      string // name in auth; "": they stand in the one that uses them
	Sources   []string
	Endpoints []string // that use them, as Sources
	Setting   string   // where a new refresh token goes
	Expired   bool     // a person must allow access again
}

// unit is the subject that credentials are; "": nobody uses them.
func (a *Access) unit() string {
	switch {
	case a.Auth != "":
		return ofAuth + a.Auth
	case len(a.Sources) > 0:
		return ofSource + slices.Min(a.Sources) + authOf
	case len(a.Endpoints) > 0:
		return ofEndpoint + slices.Min(a.Endpoints) + authOf
	}
	return ""
}

// AccessIs takes in whether a refresh token is still taken. It does not wait
// for the disk.
func (d *Differ) AccessIs(a Access) {
	unit := a.unit()
	if unit == "" {
		return
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
	Auth      string   `json:"auth,omitempty"`    // none: they stand in the one that uses them
	Sources   []string `json:"sources,omitempty"` // at most accessUsers, as endpoints
	Endpoints []string `json:"endpoints,omitempty"`
	Setting   string   `json:"setting"` // where the new refresh token goes
	Advice    string   `json:"advice"`
}

// accessAdvice is what a person must do.
const accessAdvice = "allow access again, put the new refresh token into the setting, and reload"

// accessUsers is how many sources, and how many endpoints, an event names.
const accessUsers = 10

// judgeAccess says whether the access of credentials has expired. It is not
// told to those that need it. That it has no more is told to nobody.
func (d *Differ) judgeAccess(unit string) verdict {
	a, known := d.alerting.access[unit]
	if !known {
		return verdict{}
	}
	if !a.Expired {
		return verdict{over: true}
	}
	data := accessData{a.Auth, some(a.Sources), some(a.Endpoints), a.Setting, accessAdvice}
	return verdict{
		to:    slices.DeleteFunc(slices.Clone(d.alerts), func(to string) bool { return slices.Contains(a.Endpoints, to) }),
		wrong: []wrong{{TypeAuthExpired, d.now(), data}},
	}
}

func some(names []string) []string { return names[:min(len(names), accessUsers)] }
