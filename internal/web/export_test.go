package web

// Bound lowers how many bytes of a snapshot the client takes in.
func (c *Client) Bound(most int64) { c.most = most }
