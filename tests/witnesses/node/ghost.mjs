// Ghost's own Admin API client, which signs its tokens itself.
import GhostAdminAPI from '@tryghost/admin-api';
import { ann, said, twin } from './common.mjs';

const key = `${'0123456789abcdef01234567'}:${'0123456789abcdef'.repeat(4)}`;
const ghost = new GhostAdminAPI({ url: twin, key, version: 'v5.0' });

const site = await ghost.site.read();
said('site', 'verify-ok', [site.title, site.version]);

const letters = await ghost.newsletters.browse({ limit: 100, filter: 'status:active', page: 1 });
said('list_newsletters', 'choices-newsletter', letters.map(({ name, status }) => [name, status]));

const found = await ghost.members.browse({ filter: `email:'${ann.email}'`, include: 'newsletters,labels', limit: 2 });
said('find', 'sync-new', found.length);

const labels = [{ name: 'Rekomi affiliate' }, { name: 'Launch' }];
const newsletters = [{ id: '62750bff2b868a34f814af08' }];
const made = await ghost.members.add({ email: ann.email, name: `${ann.first} ${ann.last}`, labels, newsletters });
said('create', 'sync-new', [made.id, made.email, made.labels.map(({ name }) => name)]);

const read = await ghost.members.read({ id: made.id });
said('read', 'untag', [read.id, read.email]);

const kept = await ghost.members.edit({ id: made.id, labels: [{ name: 'VIP' }, { name: 'Launch' }] });
said('update', 'untag', [kept.id, kept.labels.map(({ name }) => name)]);
