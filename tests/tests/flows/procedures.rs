//! OLE DB Command with output parameters: a procedure of a private MariaDB, called for each row.

use dtsx_tests::servers;

const PROCEDURE: &str = "create table log(a int not null);
delimiter //
create procedure p(in a int, out b bigint, inout c varchar(20)) begin
  insert into log values (a);
  if a < 0 then signal sqlstate '45000' set message_text = 'no'; end if;
  set b = a * 2;
  set c = concat(c, '!');
end //
delimiter ;";

fn flow(connect: &str, command: &str, flags: [i64; 3], expected: &str) -> String {
    let [a, b, c] = flags;
    format!(
        "[component]\nkind = Microsoft.OLEDBCommand\nSqlCommand = {command}\n[connection OleDbConnection OLEDB]\n\
         ConnectionString = {connect}\n[input In]\nid i4, twice i4, name wstr(20)\n1,,a\n2,,b\n-1,7,c\n3,9,\n\
         [use In.id]\nexternal = @a i4\nparam_flags = {a}\n[use In.twice]\nexternal = @b i8\nparam_flags = {b}\n\
         [use In.name]\nexternal = @c wstr(20)\nparam_flags = {c}\n[port In]\nerror = RedirectRow\n\
         [output Out]\ngroup = 1\n[output Errors]\nis_error = true\ngroup = 1\n{expected}"
    )
}

#[test]
fn what_comes_out_of_a_procedure_is_in_the_columns() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    database.sql(PROCEDURE).unwrap();
    // DTS_E_COMMANDDESTINATIONADAPTERSTATIC_UNAVAILABLE: the state of a SIGNAL says nothing of what is wrong.
    let expected = "[expect Out]\nid,twice,name\n1,2,a!\n2,4,b!\n3,6,\n\
                    [expect Errors]\nid,twice,name,ErrorCode,ErrorColumn\n-1,7,c,0xC020906E,0\n";
    for command in ["EXEC [dbo].[p] ?, ? OUTPUT, ? OUTPUT", "{CALL p(?, ?, ?)}"] {
        let text = flow(&database.odbc(), command, [65, 2, 3], expected);
        crate::check(&crate::text::parse(&text)).unwrap_or_else(|problem| panic!("{command}: {problem}"));
    }
    // What the statement of a refused row did before is undone.
    assert_eq!(database.sql("select count(*) from log where a < 0").unwrap().trim(), "0");
    assert_ne!(database.sql("select count(*) from log where a > 0").unwrap().trim(), "0");
    let fails = "[warns]\n0x80208386 lost\n[fails]\nmessage = @a is a return value\n";
    let text = flow(&database.odbc(), "EXEC ? = p ?, ? OUTPUT", [2, 1, 2], fails);
    crate::check(&crate::text::parse(&text)).unwrap();
}

#[test]
fn databases_without_output_parameters_refuse_them_by_name() {
    let fails =
        "[warns]\n0x80208386 lost\n[fails]\nmessage = @b cannot be an output\n[file t.db]\nCREATE TABLE t (id int);\n";
    let text = flow(r"sqlite:D:\T\t.db", "UPDATE t SET id = ?", [1, 2, 1], fails);
    crate::check(&crate::text::parse(&text)).unwrap();
}
