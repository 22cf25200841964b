package differ

// Remembered is how many items d has in memory of a source, gone ones too.
func Remembered(d *Differ, source string) int { return len(d.memories[source].entries) }
