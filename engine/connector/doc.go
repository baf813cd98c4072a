// Package connector is how the engine reads sources and writes to them. A connector is made by a [Factory] for one
// source, from the source's configuration, is used by one goroutine at a time, and is closed when the work is done:
//
//	c, err := factory(ctx, connector.Config{Source: "Directory", Attributes: attributes, Secret: secret})
//	defer c.Close()
//
//	cursor, err := c.Read(ctx, "", func(object *connector.Object) error { ... })   // everything
//	cursor, err = c.Read(ctx, cursor, func(object *connector.Object) error { ... }) // what changed since
//
//	result, err := c.Apply(ctx, &connector.Operation{Key: key, Kind: connector.AddValues, ...})
//
// A host gives the engine the factories of the connectors that it wants: those of the packages below this one, and its
// own. A connector that passes connectortest.Run keeps the rules that the engine relies on; the one that matters most
// is that Apply may be called again for an operation that was carried out before, and then does nothing.
package connector
