// Customer.io's own client: its Track API for the person, its App API for reading.
import { APIClient, TrackClient } from 'customerio-node';
import { ann, credentials, said, twin } from './common.mjs';

const track = new TrackClient(credentials.site_id, credentials.track_api_key, { url: `${twin}/api/v1` });
const app = new APIClient(credentials.app_api_key, { url: `${twin}/v1` });

const nobody = await app.getCustomersByEmail(ann.email);
said('find', 'sync-new', nobody.results.length);

const names = { email: ann.email, first_name: ann.first, last_name: ann.last };
await track.identify(ann.email, { ...names, created_at: 1767323045, rekomi_tags: 'Rekomi affiliate,Summer' });
said('save_new', 'sync-new', null);

const found = await app.getCustomersByEmail(ann.email);
said('find', 'lookup-found', found.results.map(({ email }) => email));

const id = found.results[0].cio_id;
const shown = await app.getAttributes(id, 'cio_id');
said('attributes', 'lookup-found', [shown.customer.attributes.first_name, shown.customer.unsubscribed], { [id]: 'a3000001' });

await track.identify(ann.email, { rekomi_tags: 'Rekomi affiliate', _update: true });
said('retag', 'untag', null);
