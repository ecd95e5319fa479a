import time,sys
def test_b(postgis_url):
    src=open('/tmp/sx/bench.py').read().split("t=time.time();s=open_store")[0]
    sys.argv=['x','postgresql','50000']
    ns={}
    exec(src,ns)
    from geo.store.columns import to_stored
    from geo.store.postgis_copy import copy_chunks
    from geo.store.postgis_tables import table
    from geo.store.postgis import _Stream
    from geo.layers.schema import PARCELS
    from geo.store.opening import open_store
    import psycopg2
    s=open_store(postgis_url)
    t=time.time();c0=time.process_time();rows=to_stored(PARCELS,ns['f']);print('to_stored',time.time()-t,time.process_time()-c0)
    t=time.time();c0=time.process_time();ch=list(copy_chunks(rows));print('chunks',time.time()-t,time.process_time()-c0,sum(map(len,ch))/1e6,'MB')
    conn=psycopg2.connect(postgis_url)
    cur=conn.cursor()
    names=','.join(rows.names)+',geom'
    for k in range(2):
        t=time.time();cur.execute(f"delete from {table('parcels')}");print('delete',time.time()-t)
        t=time.time();cur.copy_expert(f"copy {table('parcels')} ({names}) from stdin",_Stream(iter(ch)),size=1<<20);print('copy indexed',time.time()-t)
        t=time.time();conn.commit();print('commit',time.time()-t)
    t=time.time();cur.execute(f"create table x (like {table('parcels')} including identity)");cur.copy_expert(f"copy x ({names}) from stdin",_Stream(iter(ch)),size=1<<20);print('copy bare',time.time()-t)
    t=time.time();cur.execute("create index on x using gist(geom)");print('gist',time.time()-t)
    t=time.time();cur.execute("create unique index on x (parcel_id)");cur.execute("create index on x (town)");cur.execute("create index on x (land_use)");print('btree',time.time()-t)
    conn.rollback();conn.autocommit=True
    t=time.time();cur.execute(f"vacuum analyze {table('parcels')}");print('vacuum',time.time()-t)
    s.close()
