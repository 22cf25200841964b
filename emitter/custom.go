package emitter

// customFormat is what `json` says, for receivers of any other kind.
var customFormat = format{name: "custom", content: "application/json", json: true, signed: true}
