// Iterable's own client: lists, fields, and the user with its stand-in for tags.
import { IterableClient } from '@iterable/api';
import { ann, said, twin } from './common.mjs';

const iterable = new IterableClient({ apiKey: '0123456789abcdef0123456789abcdef', baseUrl: twin });

const { lists } = await iterable.getLists();
said('lists', 'verify-ok', lists.map(({ id, listType }) => [id, listType]));

const { fields } = await iterable.getUserFields();
said('fields', 'choices-fields', fields['Lifetime Value']);

const nobody = await iterable.getUserByEmail({ email: ann.email });
said('find', 'sync-new.list', nobody.user ?? null);

const profile = { firstName: ann.first, lastName: ann.last, rekomi_tags: { rekomi_affiliate: true } };
const saved = await iterable.updateUser({ email: ann.email, dataFields: profile, mergeNestedObjects: true, createNewFields: true });
said('save', 'sync-new.list', saved.code);

const joined = await iterable.subscribeUserToList({ listId: 982904, subscribers: [{ email: ann.email }] });
said('join', 'sync-new.list', [joined.successCount, joined.failCount]);

const there = await iterable.getUserByEmail({ email: ann.email });
said('find', 'untag', there.user.dataFields.rekomi_tags);

const off = { rekomi_tags: { rekomi_affiliate: false } };
const untagged = await iterable.updateUser({ email: ann.email, dataFields: off, mergeNestedObjects: true });
said('untag', 'untag', untagged.code);

const renamed = await iterable.updateEmail({ currentEmail: ann.email, newEmail: 'ann@new.example' });
said('rename', 'sync-later', renamed.code);

const moved = await iterable.updateUser({ userId: 'u-77', dataFields: { email: 'ann@new.example' }, mergeNestedObjects: true });
said('rename_hybrid', 'sync-later.hybrid', moved.code);
