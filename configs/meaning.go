package configs

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/poller"
)

// checkMeaning asks the stages about their settings, then checks what no
// stage can see alone.
func (l *loader) checkMeaning(cfg *Config) {
	r := fault.New()
	for _, name := range slices.Sorted(maps.Keys(cfg.Sources)) {
		s, at := cfg.Sources[name], r.At("sources", name)
		s.Poll.Check(at, s.Response.Judge)
		s.Response.Judge.Check(at.At("response"))
		differ.Check(at, name, s.Diff, s.Response.Read)
		checkDelta(at.At("cursor"), s)
		l.checkRoutes(at, s.Diff)
		checkWatch(at.At("watch"), s)
		l.checkFrom(at.At("watch", "from", "source"), s.Watch.Keys.From.Source)
		l.checkLimit(at.At("limit"), s.Poll.Limit)
		l.checkAuth(at.At("request", "auth"), s.Poll.Request.Auth)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Auth)) {
		cfg.Auth[name].Check(r.At("auth", name))
	}
	l.checkRenamed(r.At("sources"), cfg)
	l.checkShared(r, cfg)
	for _, name := range slices.Sorted(maps.Keys(cfg.Endpoints)) {
		cfg.Endpoints[name].Check(r.At("endpoints", name))
		l.checkAuth(r.At("endpoints", name, "auth"), cfg.Endpoints[name].Auth)
		if named, ok := cfg.Auth[cfg.Endpoints[name].Auth.Name]; ok {
			emitter.CheckAuth(r.At("endpoints", name, "auth"), named)
		}
	}
	if all := l.root.get("sources"); all == nil || len(all.fields) == 0 {
		r.At("sources").Warnf("no source is configured: nothing will be polled")
	}
	l.checkReceivers(r.At("alerts", "to"), cfg.Alerts.To)
	checkStore(r.At("store"), l.root.get("store"))
	checkServer(r.At("server"), cfg.Server)
	checkTracing(r, cfg)
	checkEgress(r, cfg)
	checkRetention(r.At("retention"), cfg.Retention)
	l.take(r)
}

// take gives the stages' faults their places. A setting that has one already
// gets no second: it was left out and would be judged by its absence.
func (l *loader) take(r fault.Report) {
	for _, f := range r.All() {
		at, path := l.locate(f.Path)
		found := Located{at.file, at.line, at.column, dotted(path), f.Text}
		switch {
		case f.Warning:
			l.warnings = append(l.warnings, found)
		case !l.isCovered(f.Path):
			l.faults = append(l.faults, found)
		}
	}
}

// checkDelta reports a source that asks for what changed, and takes what did
// not change for deleted.
func checkDelta(r fault.Report, s Source) {
	if s.Poll.Cursor.Name != "" && s.Response.Read.Items != "" && s.Response.Read.Absent == "" {
		r.Warnf("items that an answer does not list will count as deleted: set response.absent to kept where answers list only what changed, or to deleted")
	}
}

// checkShared asks the poller about what sources share: the limits, whether
// the schedules fit them, and refresh tokens.
func (l *loader) checkShared(r fault.Report, cfg *Config) {
	sources := make(map[string]poller.Settings, len(cfg.Sources))
	from, read := map[string]differ.FeedSettings{}, map[string]differ.ResponseSettings{}
	for name, s := range cfg.Sources {
		sources[name], read[name] = s.Poll, s.Response.Read
		if s.Watch.Fan.Fed {
			from[name] = s.Watch.Keys.From
		}
	}
	differ.CheckFeeds(r.At("sources"), from, read)
	for _, name := range slices.Sorted(maps.Keys(cfg.Limits)) {
		cfg.Limits[name].Check(r.At("limits", name))
	}
	poller.CheckLimits(r, cfg.Limits, sources)
	credential.CheckGrants(r, credentialsOf(cfg))
}

// credentialsOf are all of a configuration.
func credentialsOf(cfg *Config) (all []credential.Use) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Auth)) {
		all = append(all, credential.Use{Path: []string{"auth", name}, Settings: cfg.Auth[name], Named: true})
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Sources)) {
		if own := cfg.Sources[name].Poll.Request.Auth.Own; own != nil {
			all = append(all, credential.Use{Path: []string{"sources", name, "request", "auth"}, Settings: *own})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Endpoints)) {
		if own := cfg.Endpoints[name].Auth.Own; own != nil {
			all = append(all, credential.Use{Path: []string{"endpoints", name, "auth"}, Settings: *own})
		}
	}
	return all
}

// checkFrom reports a source of watch keys that is not there.
func (l *loader) checkFrom(r fault.Report, name string) {
	if name == "" {
		return
	}
	if names := l.names("sources"); !slices.Contains(names, name) {
		r.Errorf("no source is called %q%s", clip(name), didYouMean(Closest(name, names)))
	}
}

// checkRenamed reports a former name that cannot be the source's: one that is
// in use, or that two claim.
func (l *loader) checkRenamed(r fault.Report, cfg *Config) {
	names, claimed := l.names("sources"), map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Sources)) {
		was, at := cfg.Sources[name].Was, r.At(name, "was")
		switch other, twice := claimed[was]; {
		case was == "":
			continue
		case was == name:
			at.Errorf("is the name that the source has")
		case slices.Contains(names, was):
			at.Errorf("source %q is still configured: what is remembered of it is its own", clip(was))
		case twice:
			at.Errorf("source %s says so, too: what is remembered under a name goes on under one other", other)
		}
		claimed[was] = name
	}
}

// checkLimit reports a source's limit that is not there.
func (l *loader) checkLimit(r fault.Report, name string) {
	if names := l.names("limits"); name != "" && !slices.Contains(names, name) {
		r.Errorf("no limit is called %q%s", clip(name), didYouMean(Closest(name, names)))
	}
}

// checkAuth reports a name of credentials that are not there.
func (l *loader) checkAuth(r fault.Report, a credential.Ref) {
	if names := l.names("auth"); a.Name != "" && !slices.Contains(names, a.Name) {
		r.Errorf("no auth is called %q%s", clip(a.Name), didYouMean(Closest(a.Name, names)))
	}
}

// names are those that stand under a key of the top, with a fault or without.
func (l *loader) names(under string) (names []string) {
	if all := l.root.get(under); all != nil {
		for _, f := range all.fields {
			names = append(names, f.name)
		}
	}
	return names
}

// checkRoutes reports rules whose events go to an endpoint that is not there,
// or to one twice.
func (l *loader) checkRoutes(r fault.Report, s differ.Settings) {
	for _, rule := range s.Events {
		l.checkReceivers(r.At("events", rule.Key, "to"), rule.Value.To)
	}
}

// checkReceivers reports names of endpoints that are not there, or stand
// twice.
func (l *loader) checkReceivers(r fault.Report, to []string) {
	names := l.names("endpoints")
	for i, name := range to {
		switch at := r.Index(i); {
		case slices.Contains(to[:i], name):
			at.Errorf("%q is named twice", clip(name))
		case !slices.Contains(names, name):
			at.Errorf("no endpoint is called %q%s", clip(name), didYouMean(Closest(name, names)))
		}
	}
}

// checkWatch reports what the poller and the differ must agree on of watch
// keys.
func checkWatch(r fault.Report, s Source) {
	fan, keys := s.Watch.Fan, s.Watch.Keys
	none := len(fan.Keys) == 0 && fan.File == "" && !fan.API && !fan.Fed && fan.Batch == 0
	switch {
	case none && keys != (differ.WatchSettings{}):
		r.Errorf("no keys: at least one of keys, file, from and api is needed")
	case fan.Batch > 0 && keys.ID == "":
		r.At("batch").Errorf("needs watch.id: the path in an item of the key that it belongs to")
	case fan.Batch == 0 && keys.ID != "":
		r.At("id").Errorf("is for batch: without it all items of an answer are the key's")
	}
	if fan.Batch > 0 && s.Poll.Cursor != (poller.CursorSettings{}) {
		r.At("batch").Errorf("does not go with cursor: a cursor belongs to one key")
	}
}

// checkStore reports a store that this version cannot open.
func checkStore(r fault.Report, n *node) {
	if n == nil || n.kind != text {
		return
	}
	scheme, _, isURL := strings.Cut(n.text, "://")
	switch {
	case n.text == "":
		r.Errorf("the path of a file was expected")
	case isURL && (scheme == "postgres" || scheme == "postgresql"):
		r.Errorf("PostgreSQL is not in this version: the path of a file was expected")
	case isURL:
		r.Errorf("the path of a file was expected, not a URL")
	}
}

// checkServer reports an address that cannot be listened on, and one that
// others can reach without a token.
func checkServer(r fault.Report, s Server) {
	if s.Listen == "" {
		return
	}
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		r.At("listen").Errorf("%q is not HOST:PORT", clip(s.Listen))
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		r.At("listen").Errorf("%q is not a port from 0 to 65535", clip(port))
		return
	} else if n == 0 {
		r.At("listen").Warnf("port 0 is another one at each start")
	}
	addr, err := netip.ParseAddr(host)
	loopback := host == "localhost" || err == nil && addr.Unmap().IsLoopback()
	if !loopback && s.Token.IsZero() {
		r.At("token").Errorf("is needed where listen (%s) is not a loopback address", clip(s.Listen))
	}
}

// checkRetention reports times that would keep nothing.
func checkRetention(r fault.Report, s Retention) {
	for name, d := range map[string]int64{"events": int64(s.Events), "attempts": int64(s.Attempts), "dead": int64(s.Dead)} {
		if d <= 0 {
			r.At(name).Errorf("must be longer than 0")
		}
	}
}
