from tests.cli.loans import *
import pytest
def show(loans,*a):
    try: loans.aims(*a, expect=-99)
    except AssertionError as e: print(str(e)[:3000]); print('=======')
CASES = {
 "tail": ["delete from aims_leaf where seq = 4"],
 "tail2": ["delete from aims_leaf where seq = 4", "delete from aims_envelope where payload not in (select payload from aims_leaf)"],
 "edited": ["update aims_envelope set envelope = replace(cast(envelope as text), 'A', 'B') where payload = (select payload from aims_leaf where seq = 0)"],
 "trunc": ["update aims_envelope set envelope = substr(envelope, 1, 100) where payload = (select payload from aims_leaf where seq = 0)"],
 "leafrow": ["update aims_leaf set leaf = replace(cast(leaf as text), '\"seq\":0', '\"seq\":7') where seq = 0"],
 "envgone": ["delete from aims_envelope where payload = (select payload from aims_leaf where seq = 0)"],
 "leafgone": ["delete from aims_leaf where seq = 0"],
 "all": ["delete from aims_leaf", "delete from aims_envelope"],
 "lastleaf": ["update aims_leaf set leaf = replace(cast(leaf as text), '\"seq\":4', '\"seq\":7') where seq = 4"],
}
@pytest.mark.parametrize("case", list(CASES))
def test_x(loans, case):
    for s in CASES[case]: loans.sql(s)
    print("#####", case)
    show(loans, "gate","loan/1","--to","champion")
    show(loans, "evidence","verify","loan/1")
    show(loans, "promote","loan/1","--to","champion")
    if case in ("tail2","edited"): show(loans, "check", "loan/1", "--only", "drift")
