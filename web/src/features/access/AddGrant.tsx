import { Button, NativeSelect } from '@mantine/core';
import type { GrantLevel } from '@/shared/api/types';
import { texts } from '@/shared/texts';
import classes from './Access.module.css';
import { type Principal, valueOf } from './principals';

const words = texts.access;

export interface Draft {
  chosen: string /* a principal's value; "": nobody yet */;
  level: GrantLevel;
}

interface AddGrantProps {
  principals: Principal[];
  draft: Draft;
  onDraft: (draft: Draft) => void;
  onAdd: (() => void) | null /* null: nobody is chosen */;
}

export function AddGrant({ principals, draft, onDraft, onAdd }: AddGrantProps) {
  const kinds = Object.entries(words.groups).map(([kind, group]) => ({
    group,
    items: principals
      .filter((principal) => principal.principal_type === kind)
      .map((principal) => ({ value: valueOf(principal), label: principal.name })),
  }));
  return (
    <div className={classes.add}>
      <NativeSelect
        className={classes.choice}
        label={words.add}
        value={draft.chosen}
        onChange={(event) => onDraft({ ...draft, chosen: event.currentTarget.value })}
        data={[{ value: '', label: words.choose }, ...kinds.filter(({ items }) => items.length > 0)]}
      />
      <NativeSelect
        className={classes.level}
        label={words.level}
        value={draft.level}
        onChange={(event) => onDraft({ ...draft, level: event.currentTarget.value as GrantLevel })}
        data={Object.entries(words.levels).map(([value, label]) => ({ value, label }))}
      />
      <Button variant="default" disabled={onAdd === null} onClick={onAdd ?? undefined}>
        {words.addDo}
      </Button>
    </div>
  );
}
