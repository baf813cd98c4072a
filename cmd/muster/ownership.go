package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) identitiesDeleteCommand() *cobra.Command {
	var owner string
	cmd := &cobra.Command{
		Use: "delete ID|ALIAS...", Short: "Delete identities that are not protected",
		Long: `Delete deletes identities. If an identity owns objects, --new-owner says who gets them in the same
transaction; "muster identities reassign" gives some of them away before. Accounts stay uncorrelated. An account on an
authoritative source becomes an identity again with the source's next aggregation.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("%s takes identities, none is given", cmd.CommandPath())
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				ids, err := identityIDs(ctx, eng, args)
				if err != nil {
					return err
				}
				remove := eng.DeleteIdentity
				if owner != "" {
					next, err := identityIDs(ctx, eng, []string{owner})
					if err != nil {
						return err
					}
					remove = func(ctx context.Context, id string) error {
						return eng.DeleteIdentityReassigning(ctx, id, next[0])
					}
				}
				for i, id := range ids {
					err := remove(ctx, id)
					var blocked *engine.AssociationsError
					if errors.As(err, &blocked) {
						fmt.Fprintf(a.stderr, "muster: %s: %s\n", args[i], blocked.Message)
						return errors.Join(a.printAssociations(blocked.Associations), printedError{exitFailed})
					}
					if err != nil {
						return err
					}
					fmt.Fprintf(a.stdout, "deleted %s\n", id)
				}
				return a.process(ctx, eng)
			})
		},
	}
	cmd.Flags().StringVar(&owner, "new-owner", "", "who gets what they own, ID or alias")
	return cmd
}

// printAssociations writes what prevents a deletion, if anything does.
func (a *app) printAssociations(associations []engine.Association) error {
	rows := associationRows(associations)
	if len(rows) == 0 {
		return nil
	}
	return writeAligned(a.stdout, rows)
}

func associationRows(associations []engine.Association) [][]string {
	var rows [][]string
	for i := range associations {
		for _, entity := range associations[i].Entities {
			e := &entity.IdentityEntity
			rows = append(rows, []string{associations[i].AssociationType, e.ID, e.Name})
		}
	}
	return rows
}

func (a *app) identitiesOwnershipCommand() *cobra.Command {
	var output string
	var all bool
	cmd := &cobra.Command{
		Use: "ownership ID|ALIAS", Short: "List the objects that an identity owns, which prevent its deletion",
		Long: `Ownership lists the objects to give to another identity before an identity can be deleted, by the
published kinds of associations. With --all it lists the objects as search documents do: sources, entitlements, access
profiles, roles, apps, governance groups and others, and whether the identity is a fallback approver.`,
		Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.withIdentity(cmd.Context(), args[0], func(eng *engine.Engine, id string) error {
				if all {
					owned, err := eng.Owns(cmd.Context(), id)
					if err != nil {
						return err
					}
					return a.printOwned(&owned, output)
				}
				associations, err := eng.Ownership(cmd.Context(), id)
				if err != nil {
					return err
				}
				rows := [][]string{{"ASSOCIATION", "ID", "NAME"}}
				return a.showRows(output, map[string]any{"associationDetails": associations},
					append(rows, associationRows(associations)...))
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "list everything, by the members of search documents")
	listOutput(cmd, &output)
	return cmd
}

// printOwned shows what an identity owns. A table leaves out empty lists.
func (a *app) printOwned(owned *engine.Owned, output string) error {
	rows := [][]string{{"LIST", "ID", "NAME", "TYPE"}}
	for _, list := range []struct {
		member  string
		objects []engine.OwnedReference
	}{
		{"sources", owned.Sources}, {"entitlements", owned.Entitlements}, {"accessProfiles", owned.AccessProfiles},
		{"roles", owned.Roles}, {"apps", owned.Apps}, {"governanceGroups", owned.GovernanceGroups},
	} {
		for _, o := range list.objects {
			rows = append(rows, []string{list.member, o.ID, o.Name, ""})
		}
	}
	if owned.FallbackApprover {
		rows = append(rows, []string{"fallbackApprover", "", "true", ""})
	}
	for _, o := range owned.Others {
		rows = append(rows, []string{"others", o.ID, o.Name, o.Type})
	}
	return a.showRows(output, owned, rows)
}

func (a *app) identitiesReassignCommand() *cobra.Command {
	var objects []string
	cmd := &cobra.Command{
		Use: "reassign FROM TO", Short: "Give the objects that an identity owns to another one",
		Args: exactArgs(2, "two identities"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var named []engine.Reference
			for _, text := range objects {
				kind, id, found := strings.Cut(text, ":")
				if !found || kind == "" || id == "" {
					return usage("--object: %q is given where a type and an ID are expected, as ROLE:0123...", text)
				}
				named = append(named, engine.Reference{Type: kind, ID: id})
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				ids, err := identityIDs(ctx, eng, args)
				if err != nil {
					return err
				}
				count, err := eng.ReassignOwned(ctx, ids[0], ids[1], named...)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "reassigned %d objects\n", count)
				return nil
			})
		},
	}
	cmd.Flags().StringArrayVar(&objects, "object", nil, "only this object, as TYPE:ID; may be repeated")
	return cmd
}

func (a *app) identitiesProtectCommand() *cobra.Command {
	var off bool
	cmd := &cobra.Command{
		Use: "protect ID|ALIAS", Short: "Protect an identity from deletion", Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withIdentity(cmd.Context(), args[0], func(eng *engine.Engine, id string) error {
				return eng.ProtectIdentity(cmd.Context(), id, !off)
			})
		},
	}
	cmd.Flags().BoolVar(&off, "off", false, "end the protection")
	return cmd
}

func (a *app) identitiesResetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reset ID|ALIAS", Short: "End the registration of an identity",
		Long: `Reset sets the status of an identity to UNREGISTERED, removes its user levels and revokes its
open tokens. It can be invited again.`,
		Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withIdentity(cmd.Context(), args[0], func(eng *engine.Engine, id string) error {
				return eng.ResetIdentity(cmd.Context(), id)
			})
		},
	}
}
