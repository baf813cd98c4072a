package aggregation

import "context"

// complete records that the source was read completely: not only its changes, and without rows of which it is not known
// whose they are. It requests the processing of the identities whose accounts wait for that. It comes after the
// correlation, whose lock ends the batches that may have found the source unread.
func (m *merge) complete(ctx context.Context) error {
	if m.options.Delta || m.findings.unknown > 0 {
		return nil
	}
	if err := m.Store.RecordComplete(ctx, m.tx, m.source.RowID, m.cause.At); err != nil {
		return err
	}
	_, err := m.Store.RequestAwaiting(ctx, m.tx, m.source.RowID, m.cause)
	return err
}
